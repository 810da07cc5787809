//! A key on a PKCS#11 token: a USB token of a certification authority, or an HSM. The key never
//! leaves it; the module of its maker is loaded at run time.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Function, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use serde::{Deserialize, Serialize};

use super::raw::RawError;

/// Where a key is and how it opens. Stored sealed as a whole: it holds the PIN.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenPlace {
    /// The maker's module, for example `/usr/lib/softhsm/libsofthsm2.so`.
    pub module: PathBuf,
    /// Label of the token.
    pub token: String,
    /// Label of the private key; its certificate has the same label or identifier.
    pub key: String,
    pub pin: String,
}

impl fmt::Debug for TokenPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenPlace({} on {}, ***)", self.key, self.token)
    }
}

/// A private key on a token. Sessions cannot be shared between threads, so each signature borrows
/// one; one more always stays open, because closing the last would log the token out.
pub(super) struct TokenKey {
    place: TokenPlace,
    open: Mutex<Option<Open>>,
}

struct Open {
    context: Pkcs11,
    slot: Slot,
    key: ObjectHandle,
    idle: Vec<Session>,
    _anchor: Session,
}

/// What a token answers of a key.
pub(super) struct Found {
    pub key: TokenKey,
    /// DER of certificates that may belong to it.
    pub certificates: Vec<Vec<u8>>,
}

/// Modules are initialised once in a process.
static MODULES: Mutex<Option<HashMap<PathBuf, Pkcs11>>> = Mutex::new(None);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves what is held here usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn module(path: &Path) -> Result<Pkcs11, Error> {
    let mut guard = locked(&MODULES);
    let modules = guard.get_or_insert_default();
    if let Some(known) = modules.get(path) {
        return Ok(known.clone());
    }
    let context = Pkcs11::new(path)?;
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, Function::Initialize)) => {}
        Err(error) => return Err(error),
    }
    modules.insert(path.to_owned(), context.clone());
    Ok(context)
}

/// Opens a token and finds the key and its certificates on it.
///
/// # Errors
/// [`RawError::Token`] in the module's words, never with the PIN.
pub(super) fn find(place: TokenPlace) -> Result<Found, RawError> {
    let open = open(&place)?;
    let certificates = certificates(&open, &place).map_err(told)?;
    Ok(Found {
        key: TokenKey {
            place,
            open: Mutex::new(Some(open)),
        },
        certificates,
    })
}

fn told(error: impl fmt::Display) -> RawError {
    RawError::Token(error.to_string())
}

fn open(place: &TokenPlace) -> Result<Open, RawError> {
    let context = module(&place.module).map_err(told)?;
    let slots = context.get_slots_with_initialized_token().map_err(told)?;
    let slot = slots
        .into_iter()
        .find(|slot| {
            context
                .get_token_info(*slot)
                .is_ok_and(|info| info.label() == place.token)
        })
        .ok_or_else(|| RawError::Token(format!("no token with the label {:?}", place.token)))?;
    let anchor = context.open_ro_session(slot).map_err(told)?;
    let pin = AuthPin::new(place.pin.clone().into());
    match anchor.login(UserType::User, Some(&pin)) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
        Err(error) => return Err(told(error)),
    }
    let named = [
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::Label(place.key.clone().into_bytes()),
    ];
    let keys = anchor.find_objects(&named).map_err(told)?;
    let [key] = keys.as_slice() else {
        return Err(RawError::Token(format!(
            "{} private keys with the label {:?}, one is needed",
            keys.len(),
            place.key
        )));
    };
    Ok(Open {
        key: *key,
        context,
        slot,
        idle: Vec::new(),
        _anchor: anchor,
    })
}

fn certificates(open: &Open, place: &TokenPlace) -> Result<Vec<Vec<u8>>, Error> {
    let session = &open._anchor;
    let mut ways = vec![Attribute::Label(place.key.clone().into_bytes())];
    for attribute in session.get_attributes(open.key, &[AttributeType::Id])? {
        if matches!(&attribute, Attribute::Id(id) if !id.is_empty()) {
            ways.push(attribute);
        }
    }
    let mut found = Vec::new();
    for way in ways {
        let wanted = [Attribute::Class(ObjectClass::CERTIFICATE), way];
        for object in session.find_objects(&wanted)? {
            for attribute in session.get_attributes(object, &[AttributeType::Value])? {
                if let Attribute::Value(der) = attribute
                    && !found.contains(&der)
                {
                    found.push(der);
                }
            }
        }
    }
    Ok(found)
}

impl TokenKey {
    pub fn place(&self) -> &TokenPlace {
        &self.place
    }

    /// Signs; a token that was taken out and put back is opened once more.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, RawError> {
        match self.sign_once(message) {
            Ok(signature) => Ok(signature),
            Err(_) => {
                *locked(&self.open) = None;
                self.sign_once(message)
            }
        }
    }

    fn sign_once(&self, message: &[u8]) -> Result<Vec<u8>, RawError> {
        let (session, key) = self.borrow()?;
        let signature = session
            .sign(&Mechanism::Sha256RsaPkcs, key, message)
            .map_err(told)?;
        if let Some(open) = locked(&self.open).as_mut() {
            open.idle.push(session);
        }
        Ok(signature)
    }

    fn borrow(&self) -> Result<(Session, ObjectHandle), RawError> {
        let mut guard = locked(&self.open);
        let open = match guard.as_mut() {
            Some(open) => open,
            None => guard.insert(open(&self.place)?),
        };
        let session = match open.idle.pop() {
            Some(idle) => idle,
            None => open.context.open_ro_session(open.slot).map_err(told)?,
        };
        Ok((session, open.key))
    }
}
