//! What all runs of a process start from: books of two schools, made by the real import and the
//! real publishing once, and copied for every seed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hocphi_adapters::Registry;
use hocphi_adapters::contract::Secret;
use hocphi_adapters::tax::Carrier;
use hocphi_sandbox::momo::Momo;
use hocphi_sandbox::sepay_pg::SepayPg;
use hocphi_sandbox::{Account, Config, FeedKey, Merchant, Peer, Peers, Pki, Taxpayer, province};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, SqliteConnection};

use super::broken::Broken;
use super::gateways::{Gateway, VNPAY_HOST};
use super::power::Power;
use super::{SimulateError, store, trouble};
use crate::clock::{Clock, Day, Instant};
use crate::fees::service::NewRound;
use crate::http_out::HttpOut;
use crate::ids::{BillId, ConnectionId, Ids, RoundId, SchoolId};
use crate::invoices::messages::Parties;
use crate::invoices::service::{Exchange, KeyRing, Line, install_key};
use crate::invoices::signature::{Certificate, SigningKey};
use crate::ledger::ChainKeys;
use crate::payments::books::Channel;
use crate::payments::connections::{self, NewConnection};
use crate::payments::trust::Trust;
use crate::schools::{self, School, import, parameters};
use crate::sealing::SealingKey;
use crate::store::{Db, Durability, Tx};
use crate::{App, Parts, fees};

/// Where the gateway would be reached.
pub const GATEWAY: &str = "http://gateway";
const TAX_TOKEN: &str = "simulated-tvan-token";
/// A private preschool with tuition, and a public school with insurance that the state shares.
const SCHOOLS: [&str; 2] = ["MN-BN", "CS-SN"];
/// Pupils of each school: few, so that payments meet on one bill.
const PUPILS: usize = 3;
/// What the next round asks for.
const NEXT_ROUND: &[(&str, &str)] = &[("NUOC", "1")];
/// Master key of the books.
const SEAL: [u8; 32] = [7; 32];
const ACCOUNT_SEED: u64 = 1;

/// A school and how its providers know it.
#[derive(Clone, Debug)]
pub struct StagedSchool {
    pub school_id: SchoolId,
    pub tax_code: String,
    pub name: String,
    /// Kind of invoice it is registered for.
    pub form: String,
    pub bin: String,
    pub account: String,
    pub holder: String,
    pub terminal: String,
    pub secret: String,
    pub vnpay: ConnectionId,
    pub sepay: ConnectionId,
    /// A wallet that is called, and a card gateway that takes money back.
    pub momo: ConnectionId,
    pub sepay_pg: ConnectionId,
    /// A round that is planned and not yet published.
    pub next_round: RoundId,
    pub signed_feed: bool,
}

impl StagedSchool {
    /// Credentials of the terminal with this secret.
    pub fn terminal_fields(&self, secret: &str) -> Vec<(String, String)> {
        fields(&[
            ("tmn_code", &self.terminal),
            ("hash_secret", secret),
            ("pay_url", "http://vnpay/pay"),
            (
                "api_url",
                &format!(
                    "http://{VNPAY_HOST}{}/merchant_webapi/api/transaction",
                    self.terminal
                ),
            ),
        ])
    }

    /// Credentials of the account's feed with this secret.
    pub fn feed_fields(&self, secret: &str) -> Vec<(String, String)> {
        let key = if self.signed_feed {
            "hmac_secret"
        } else {
            "api_key"
        };
        fields(&[("account_number", &self.account), (key, secret)])
    }
}

fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// A bill that somebody may pay.
#[derive(Clone, Debug)]
pub struct StagedBill {
    /// Place in [`Stage::schools`].
    pub school: usize,
    pub bill_id: BillId,
    pub code: String,
    pub token: String,
    pub due: i64,
}

/// Everything that is made once. Its folder goes with it.
pub struct Stage {
    folder: PathBuf,
    pub start: Instant,
    pub schools: Vec<StagedSchool>,
    pub bills: Vec<StagedBill>,
    pub registry: Arc<Registry>,
    pub trust: Arc<Trust>,
    pub seal: Arc<SealingKey>,
    /// Seals and proves journals.
    pub chain: ChainKeys,
    /// Parsed keys are the same in every run.
    pub keys: KeyRing,
    pub exchange: Arc<Exchange>,
    client: reqwest::Client,
    pki: Arc<Pki>,
    opened: AtomicU64,
}

impl Stage {
    /// # Errors
    /// [`SimulateError`] when the books cannot be made.
    pub async fn set() -> Result<Self, SimulateError> {
        let start = Instant::parse_local_iso("2026-11-23T08:00:00")
            .ok_or_else(|| trouble("start")("not a moment"))?;
        let folder = scratch_folder().map_err(trouble("folder"))?;
        let pki = Arc::new(Pki::new(start.unix()).map_err(trouble("keys"))?);
        let authority = Certificate::from_der(pki.tax_authority().certificate_der())
            .map_err(trouble("certificate"))?;
        let http = HttpOut::new().map_err(trouble("client"))?;
        let seal = Arc::new(SealingKey::from_bytes(SEAL));
        let mut stage = Self {
            folder,
            start,
            schools: Vec::new(),
            bills: Vec::new(),
            registry: Arc::new(Registry::builtin()),
            trust: Arc::default(),
            chain: ChainKeys::of(seal.clone()),
            seal,
            keys: KeyRing::default(),
            exchange: Arc::new(Exchange {
                first: Line {
                    name: "carrier".into(),
                    carrier: Carrier::new("http://carrier", Secret::new(TAX_TOKEN)),
                    parties: Parties {
                        sender: "V0100231226".into(),
                        receiver: "TCT".into(),
                    },
                },
                others: Vec::new(),
                authorities: vec![authority].into(),
            }),
            client: reqwest::Client::new(),
            pki,
            opened: AtomicU64::new(0),
        };
        let db = Db::open_with(
            &format!("sqlite://{}", stage.template(None).display()),
            Durability::Off,
        )
        .await?;
        let app = App::assemble(Parts {
            db,
            clock: Clock::settable(start),
            ids: Ids::seeded(ACCOUNT_SEED),
            seal: SealingKey::from_bytes(SEAL),
            http,
            registry: Registry::builtin(),
            trust: Trust::default(),
            public_url: GATEWAY.into(),
            sandbox_bank_url: None,
        });
        stage.load(&app).await?;
        app.db.close().await;
        let mut template = connect(&stage.template(None)).await?;
        // One file without a journal beside it can be copied.
        template
            .execute("PRAGMA journal_mode = DELETE")
            .await
            .map_err(trouble("template"))?;
        template
            .execute("VACUUM")
            .await
            .map_err(trouble("template"))?;
        template.close().await.map_err(trouble("template"))?;
        for broken in Broken::ALL {
            stage.break_schema(broken).await?;
        }
        Ok(stage)
    }

    async fn load(&mut self, app: &App) -> Result<(), SimulateError> {
        let by = "simulate";
        let (name, bytes) = province::UNITS;
        import::units(app, name, bytes.to_vec(), by)
            .await
            .map_err(trouble("units"))?;
        let (name, bytes) = province::PARAMETERS;
        import::parameters(app, name, needed(bytes), by)
            .await
            .map_err(trouble("parameters"))?;
        for files in province::SCHOOLS
            .iter()
            .filter(|files| SCHOOLS.contains(&files.code))
        {
            let school = schools::school_by_code(&app.db, files.code)
                .await?
                .ok_or_else(|| trouble("school")(files.code))?;
            let (name, bytes) = files.fees;
            import::fees(app, &school.code, name, bytes.to_vec(), by)
                .await
                .map_err(trouble("fees"))?;
            let (name, bytes) = files.roster;
            let first = Day::new(2026, 8, 1).ok_or_else(|| trouble("day")("1 August"))?;
            import::roster(
                app,
                &school.code,
                name,
                first_lines(bytes, 1 + PUPILS),
                "2026-2027",
                first,
                by,
            )
            .await
            .map_err(trouble("roster"))?;
            let mut staged = self.connect(app, &school).await?;
            let this = round(app, &school, "Thu tháng 11/2026", files.round).await?;
            fees::service::publish(app, &school.school_id, &this)
                .await
                .map_err(trouble("round"))?;
            staged.next_round = round(app, &school, "Thu tháng 12/2026", NEXT_ROUND).await?;
            self.schools.push(staged);
        }
        for (school, bill_id, code, token, due) in store::open_bills(&app.db).await? {
            let place = self.schools.iter().position(|one| one.school_id == school);
            self.bills.push(StagedBill {
                school: place.ok_or_else(|| trouble("bill")("of no school"))?,
                bill_id,
                code,
                token,
                due,
            });
        }
        if self.bills.len() < PUPILS {
            return Err(trouble("bills")(self.bills.len()));
        }
        Ok(())
    }

    async fn connect(&self, app: &App, school: &School) -> Result<StagedSchool, SimulateError> {
        let place = self.schools.len();
        let identity = self
            .pki
            .issue(&school.name, &school.tax_code)
            .map_err(trouble("keys"))?;
        let key =
            SigningKey::from_pem(&format!("{}{}", identity.key_pem, identity.certificate_pem))
                .map_err(trouble("keys"))?;
        install_key(app, &school.school_id, &key, &[])
            .await
            .map_err(trouble("keys"))?;
        let dated = parameters::load_for(&app.db, school)
            .await
            .map_err(trouble("parameters"))?;
        let method = dated
            .text("vat_method", app.clock.today())
            .map_err(trouble("parameters"))?;
        let code = school.code.to_lowercase();
        let staged = StagedSchool {
            school_id: school.school_id.clone(),
            tax_code: school.tax_code.clone(),
            name: school.name.clone(),
            form: if method == "DIRECT" { "2" } else { "1" }.into(),
            bin: school.bank_bin.clone(),
            account: school.bank_account.clone(),
            holder: school.bank_account_name.clone(),
            terminal: format!("HP{place:0>6}"),
            secret: app.ids.token(),
            vnpay: ConnectionId::new(format!("{code}-vnpay")),
            sepay: ConnectionId::new(format!("{code}-sepay")),
            momo: ConnectionId::new(format!("{code}-momo")),
            sepay_pg: ConnectionId::new(format!("{code}-sepay-pg")),
            next_round: RoundId::new(String::new()),
            signed_feed: place.is_multiple_of(2),
        };
        let new = |id: &ConnectionId, provider: &str, channel, credentials| NewConnection {
            school_id: school.school_id.clone(),
            connection_id: id.clone(),
            provider: provider.into(),
            display_name: provider.into(),
            channel,
            credentials,
        };
        let mut wanted = vec![
            new(
                &staged.vnpay,
                "vnpay",
                Channel::Gateway,
                staged.terminal_fields(&staged.secret),
            ),
            new(
                &staged.sepay,
                "sepay",
                Channel::BankTransfer,
                staged.feed_fields(&staged.secret),
            ),
        ];
        for gateway in gateways_of(place, &staged) {
            let provider = gateway.peer.provider();
            let channel = if provider == "momo" {
                Channel::Wallet
            } else {
                Channel::Gateway
            };
            let base = format!("http://{}", gateway.host);
            let mut credentials: Vec<(String, String)> = gateway
                .peer
                .credentials()
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
            credentials.push(("api_url".to_owned(), base.clone()));
            if provider == "sepay_pg" {
                credentials.push(("pay_url".to_owned(), base));
            }
            wanted.push(new(&gateway.connection, provider, channel, credentials));
        }
        let (seal, ids) = (app.seal.clone(), app.ids.clone());
        app.db
            .write("simulate.connect", async move |tx: &mut Tx| {
                for new in &wanted {
                    connections::put(tx, &seal, &ids, new).await?;
                }
                Ok::<_, crate::store::StoreError>(())
            })
            .await?;
        Ok(staged)
    }

    fn template(&self, broken: Option<Broken>) -> PathBuf {
        let name = broken.map_or_else(|| "books".to_owned(), Broken::name);
        self.folder.join(format!("{name}.template"))
    }

    /// A template of its own for a variant whose schema differs.
    async fn break_schema(&self, broken: Broken) -> Result<(), SimulateError> {
        let file = self.template(Some(broken));
        std::fs::copy(self.template(None), &file).map_err(trouble("template"))?;
        let mut db = connect(&file).await?;
        if let Some((table, piece)) = broken.missing() {
            store::without(&mut db, table, piece).await?;
        }
        if !broken.schema().is_empty() {
            sqlx::raw_sql(AssertSqlSafe(broken.schema()))
                .execute(&mut db)
                .await
                .map_err(trouble("broken schema"))?;
        }
        db.close().await.map_err(trouble("template"))
    }

    /// Fresh books for one run, all of whose commits ask `power`.
    pub(super) async fn open(
        &self,
        broken: Option<Broken>,
        power: &Power,
    ) -> Result<Books, SimulateError> {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let file = self.folder.join(format!("{number}.db"));
        std::fs::copy(self.template(broken), &file).map_err(trouble("copy"))?;
        let power = power.clone();
        // One connection: transactions follow each other, and nothing depends on which thread of
        // the machine is faster.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            // A machine that stands still for a while is no part of the story.
            .acquire_timeout(Duration::from_secs(3_600))
            .after_connect(move |connection, _| {
                let (committing, changing) = (power.clone(), power.clone());
                Box::pin(async move {
                    let mut handle = connection.lock_handle().await?;
                    handle.set_commit_hook(move || committing.may_commit());
                    handle.set_update_hook(move |change| changing.note(change.table));
                    Ok(())
                })
            })
            .before_acquire(|connection, _| {
                // A refused commit has ended the transaction, which the driver does not know: such a
                // connection begins no other and is replaced.
                Box::pin(async move { Ok(!connection.is_in_transaction()) })
            })
            .connect_with(
                SqliteConnectOptions::new()
                    .filename(&file)
                    .journal_mode(SqliteJournalMode::Memory)
                    .locking_mode(SqliteLockingMode::Exclusive)
                    .synchronous(SqliteSynchronous::Off)
                    .statement_cache_capacity(400)
                    .foreign_keys(true),
            )
            .await
            .map_err(trouble("books"))?;
        Ok(Books {
            db: Db::Sqlite {
                read: pool.clone(),
                write: pool,
                flusher: None,
            },
            file,
        })
    }

    /// Providers and authority of one run.
    pub(super) fn peers(&self, config: Config) -> Peers {
        let peers = Peers::new(&config, "http://peers", self.client.clone());
        for school in &self.schools {
            peers.vnpay.register(Merchant {
                tmn_code: school.terminal.clone(),
                hash_secret: school.secret.clone(),
                ipn_url: format!("{GATEWAY}/notices/vnpay/{}", school.vnpay),
                name: school.name.clone(),
            });
            peers.bank.register(Account {
                bin: school.bin.clone(),
                number: school.account.clone(),
                holder: school.holder.clone(),
                webhook_url: format!("{GATEWAY}/notices/sepay/{}", school.sepay),
                key: if school.signed_feed {
                    FeedKey::Hmac(school.secret.clone())
                } else {
                    FeedKey::ApiKey(school.secret.clone())
                },
            });
            peers.tax.register(Taxpayer {
                tax_code: school.tax_code.clone(),
                name: school.name.clone(),
                form: school.form.clone(),
            });
        }
        peers
    }

    /// Gateways of one run that are called.
    pub(super) fn gateways(&self) -> Vec<Gateway> {
        self.schools
            .iter()
            .enumerate()
            .flat_map(|(place, school)| gateways_of(place, school))
            .collect()
    }

    pub(super) fn pki(&self) -> Arc<Pki> {
        self.pki.clone()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!(%error, folder = %self.folder.display(), "temporary folder stays");
        }
    }
}

/// The database of one run.
pub(super) struct Books {
    pub db: Db,
    file: PathBuf,
}

impl Books {
    pub async fn close(self) {
        self.db.close().await;
        if let Err(error) = std::fs::remove_file(&self.file) {
            tracing::debug!(%error, "a run's books stay until the end");
        }
    }
}

async fn connect(file: &Path) -> Result<SqliteConnection, SimulateError> {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file))
        .await
        .map_err(trouble("template"))
}

/// In memory where the system has a folder there.
fn scratch_folder() -> std::io::Result<PathBuf> {
    static FOLDERS: AtomicU64 = AtomicU64::new(0);
    let memory = Path::new("/dev/shm");
    let base = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
    let folder = base.join(format!("hocphi-simulate-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The parameters file without what no payment asks for: it is read often in a run.
fn needed(bytes: &[u8]) -> Vec<u8> {
    const UNASKED: [&str; 4] = [
        "tuition_band",
        "vocational_fee",
        "report_deadline",
        "learning_cost",
    ];
    String::from_utf8_lossy(bytes)
        .lines()
        .filter(|line| !UNASKED.iter().any(|key| line.starts_with(key)))
        .flat_map(|line| [line, "\n"])
        .collect::<String>()
        .into_bytes()
}

fn first_lines(bytes: &[u8], lines: usize) -> Vec<u8> {
    let end = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .nth(lines - 1)
        .map_or(bytes.len(), |(place, _)| place + 1);
    bytes[..end].to_vec()
}

/// The wallet and the card gateway of a school, without memory of anything.
fn gateways_of(place: usize, school: &StagedSchool) -> [Gateway; 2] {
    let first = 1_000_000 * i64::try_from(place + 1).unwrap_or(1);
    let wallet = Momo::new(
        &format!("MOMO{place}"),
        &format!("accessKey{place}"),
        &format!("secretKeyOfTheWallet{place:012}"),
        2_000_000_000 + first,
    );
    let cards = SepayPg::new(
        &format!("SP-{place:04}"),
        &format!("spsk_{place:016}"),
        60_000_000 + first,
    );
    let gateway = |connection: &ConnectionId, name: &str, peer: Arc<dyn Peer>| Gateway {
        connection: connection.clone(),
        host: format!("{name}-{place}"),
        peer,
    };
    [
        gateway(&school.momo, "momo", Arc::new(wallet)),
        gateway(&school.sepay_pg, "sepay-pg", Arc::new(cards)),
    ]
}

async fn round(
    app: &App,
    school: &School,
    name: &str,
    items: &[(&str, &str)],
) -> Result<RoundId, SimulateError> {
    let today = app.clock.today();
    let items = items
        .iter()
        .map(|(code, quantity)| Ok(((*code).to_owned(), quantity.parse()?)))
        .collect::<Result<Vec<_>, rust_decimal::Error>>()
        .map_err(trouble("quantity"))?;
    let new = NewRound {
        name: name.into(),
        school_year: "2026-2027".into(),
        charge_day: today,
        due_day: today.plus_days(14),
        items,
    };
    fees::service::create_round(app, &school.school_id, new)
        .await
        .map_err(trouble("round"))
}

/// Settings of a run's peers.
pub(super) fn config(
    now: hocphi_sandbox::Now,
    elapsed: hocphi_sandbox::Elapsed,
    seed: u64,
    pki: Arc<Pki>,
    tax_answer_after: Duration,
) -> Config {
    let mut config = Config::new(now, seed, pki);
    config.elapsed = elapsed;
    config.tax_token = TAX_TOKEN.into();
    config.tax_answer_after = tax_answer_after;
    config
}
