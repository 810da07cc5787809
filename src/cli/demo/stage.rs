//! Sets the stage: a province loaded the way schools load their data, its peers, and the gateway.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use hocphi::clock::{Clock, Day};
use hocphi::fees::service::NewRound;
use hocphi::http_out::HttpOut;
use hocphi::ids::{BillId, ConnectionId, Ids, SchoolId, UnitId};
use hocphi::invoices::messages::Parties;
use hocphi::invoices::service::{Exchange, Line};
use hocphi::invoices::signature::{Certificate, SigningKey};
use hocphi::money::Vnd;
use hocphi::payments::books::Channel;
use hocphi::payments::connections::{self, NewConnection};
use hocphi::payments::service::record_cash;
use hocphi::payments::trust::Trust;
use hocphi::people::{self, Role};
use hocphi::schools::{self, School, import, parameters};
use hocphi::sealing::SealingKey;
use hocphi::store::{Db, Tx};
use hocphi::{App, Parts, fees, invoices};
use hocphi_adapters::Registry;
use hocphi_adapters::contract::Secret;
use hocphi_adapters::tax::Carrier;
use hocphi_sandbox::{Account, Config, FeedKey, Merchant, Pki, Sandbox, Taxpayer, province};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cli::serve::{answering_at_once, router, start_jobs};

pub const TAX_TOKEN: &str = "sandbox-tvan-token";
/// The transmission provider's code in our envelopes.
pub const TAX_SENDER: &str = "V0100231226";
const PASSWORD: &str = "hocphi-demo";
const PKCS12_PASSWORD: &str = "sandbox";

/// A bill as the school hands it out.
#[derive(Clone, Debug)]
pub struct BillLink {
    pub code: String,
    pub token: String,
    pub account: String,
}

/// A login of the demonstration.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Login {
    pub who: String,
    pub login: String,
    pub password: &'static str,
}

/// Everything that runs.
pub struct Stage {
    pub app: App,
    pub sandbox: Sandbox,
    pub client: reqwest::Client,
    pub base_url: Arc<str>,
    /// Unpaid bills with something to pay.
    pub bills: Vec<BillLink>,
    pub accounts: Vec<String>,
    pub terminals: Vec<String>,
    pub logins: Vec<Login>,
    pub pupils: i64,
    pub schools: usize,
    /// The certificate by which the simulated tax authority's signatures are believed.
    pub authority_pem: String,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Where and on what the stage is set.
pub struct Plan<'a> {
    pub database_url: &'a str,
    pub master_key_file: &'a Path,
    pub gateway: SocketAddr,
    pub sandbox: SocketAddr,
    pub seed: u64,
}

impl Stage {
    /// Everything loaded and open: the gateway answers and its jobs run.
    pub async fn set(plan: Plan<'_>) -> Result<Self> {
        let listener = TcpListener::bind(plan.gateway)
            .await
            .with_context(|| format!("không mở được cổng {}", plan.gateway))?;
        let gateway = listener.local_addr()?;
        let (mut stage, exchange) = Self::load_at(Plan { gateway, ..plan }).await?;
        let stopped = stage.stop.subscribe();
        stage.open(listener, exchange, stopped);
        Ok(stage)
    }

    /// Everything loaded for a gateway that somebody else starts at this address.
    pub async fn prepare(plan: Plan<'_>) -> Result<Self> {
        Ok(Self::load_at(plan).await?.0)
    }

    async fn load_at(plan: Plan<'_>) -> Result<(Self, Exchange)> {
        let clock = Clock::system();
        let ids = Ids::from_system();
        let db = Db::open(plan.database_url).await?;
        refuse_used(&db).await?;
        let pki = Arc::new(Pki::new(clock.now().unix())?);
        let sandbox = start_sandbox(&plan, &clock, pki.clone()).await?;
        let base_url: Arc<str> = format!("http://{}", plan.gateway).into();
        let app = App::assemble(Parts {
            db,
            clock,
            seal: SealingKey::read_or_create(plan.master_key_file, &ids)?,
            ids,
            http: HttpOut::new()?,
            registry: Registry::builtin(),
            trust: Trust::default(),
            public_url: base_url.to_string(),
            sandbox_bank_url: Some(format!("{}/bank/pay", sandbox.base_url)),
        });
        let mut stage = Self {
            app,
            sandbox,
            client: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .timeout(Duration::from_secs(30))
                .build()?,
            base_url,
            bills: Vec::new(),
            accounts: Vec::new(),
            terminals: Vec::new(),
            logins: Vec::new(),
            pupils: 0,
            schools: 0,
            authority_pem: pki.tax_authority().certificate_pem.clone(),
            stop: watch::Sender::new(false),
            tasks: Vec::new(),
        };
        stage.load(&pki).await?;
        let authority = Certificate::from_der(pki.tax_authority().certificate_der())?;
        let exchange = Exchange {
            first: Line {
                name: String::new(),
                carrier: Carrier::new(&stage.sandbox.tax_url(), Secret::new(TAX_TOKEN)),
                parties: Parties {
                    sender: TAX_SENDER.to_owned(),
                    receiver: "TCT".to_owned(),
                },
            },
            others: Vec::new(),
            authorities: vec![authority].into(),
        };
        Ok((stage, exchange))
    }

    /// A few families of every school pay in cash at the counter, so that the cashless share of an
    /// office has something to move against.
    pub async fn take_cash(&self, families: i64) -> Result<()> {
        let bills: Vec<(SchoolId, BillId, i64)> = self
            .app
            .db
            .sql(
                "SELECT school_id, bill_id, amount_due
                   FROM (SELECT school_id, bill_id, amount_due,
                                ROW_NUMBER() OVER (PARTITION BY school_id ORDER BY bill_code DESC) AS place
                           FROM fee_bill WHERE state = 'OPEN') AS numbered
                  WHERE place <= $1",
            )
            .bind(families)
            .all()
            .await?;
        for (school, bill, amount) in bills {
            let form_token = self.app.ids.token();
            record_cash(&self.app, &school, &bill, Vnd::new(amount), &form_token, "").await?;
        }
        Ok(())
    }

    fn open(&mut self, listener: TcpListener, exchange: Exchange, stopped: watch::Receiver<bool>) {
        self.tasks = start_jobs(&self.app, Some(exchange), stopped.clone());
        let service = router(&self.app, vec![self.sandbox.base_url.clone()])
            .into_make_service_with_connect_info::<SocketAddr>();
        let mut stopped = stopped;
        self.tasks.push(tokio::spawn(async move {
            let served = axum::serve(answering_at_once(listener), service).with_graceful_shutdown(
                async move {
                    // An error means that the stage is gone, which is a reason to stop as well.
                    let _ = stopped.wait_for(|stop| *stop).await;
                },
            );
            if let Err(error) = served.await {
                tracing::error!(%error, "the gateway stopped serving");
            }
        }));
    }

    /// Loads the province through the import that schools use, then publishes a round everywhere.
    async fn load(&mut self, pki: &Pki) -> Result<()> {
        let app = self.app.clone();
        let by = "demo";
        let (name, bytes) = province::UNITS;
        import::units(&app, name, bytes.to_vec(), by).await?;
        let (name, bytes) = province::PARAMETERS;
        import::parameters(&app, name, bytes.to_vec(), by).await?;
        let today = app.clock.today();
        let (school_year, first_day) = school_year_of(today)?;
        let mut schools = Vec::new();
        for files in &province::SCHOOLS {
            let school = schools::school_by_code(&app.db, files.code)
                .await?
                .with_context(|| format!("units.csv does not name {}", files.code))?;
            let (name, bytes) = files.fees;
            import::fees(&app, &school.code, name, bytes.to_vec(), by).await?;
            let (name, bytes) = files.roster;
            import::roster(
                &app,
                &school.code,
                name,
                bytes.to_vec(),
                &school_year,
                first_day,
                by,
            )
            .await?;
            self.connect(&school).await?;
            self.certify(&school, pki).await?;
            let name = format!("Thu tháng {:02}/{}", today.month(), today.year());
            publish(&app, &school, &name, files.round, &school_year, today).await?;
            schools.push(school);
        }
        self.schools = schools.len();
        self.people(&schools).await?;
        let links: Vec<(String, String, String)> = app
            .db
            .sql(
                "SELECT b.bill_code, b.access_token, s.bank_account
                   FROM fee_bill b JOIN school s ON s.school_id = b.school_id
                  WHERE b.amount_due > 0 ORDER BY b.bill_code",
            )
            .all()
            .await?;
        self.bills = links
            .into_iter()
            .map(|(code, token, account)| BillLink {
                code,
                token,
                account,
            })
            .collect();
        let (pupils,): (i64,) = app.db.sql("SELECT COUNT(*) FROM pupil").one().await?;
        self.pupils = pupils;
        Ok(())
    }

    /// Agreements of a school with VNPAY and with the feed of its bank.
    async fn connect(&mut self, school: &School) -> Result<()> {
        let app = &self.app;
        let terminal: String = format!("HP{:0>6}", self.terminals.len() + 1);
        let vnpay_secret = app.ids.token().to_uppercase();
        let feed_secret = app.ids.token();
        let signed_feed = self.terminals.len().is_multiple_of(2);
        let connection = |provider: &str, name: &str, channel, credentials| NewConnection {
            school_id: school.school_id.clone(),
            connection_id: ConnectionId::new(format!("{}-{provider}", school.code.to_lowercase())),
            provider: provider.to_owned(),
            display_name: name.to_owned(),
            channel,
            credentials,
        };
        let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let vnpay = connection(
            "vnpay",
            "VNPAY",
            Channel::Gateway,
            vec![
                text("tmn_code", &terminal),
                text("hash_secret", &vnpay_secret),
                text("pay_url", &self.sandbox.pay_url()),
            ],
        );
        let feed = connection(
            "sepay",
            "Báo có ngân hàng",
            Channel::BankTransfer,
            vec![
                text("account_number", &school.bank_account),
                text(
                    if signed_feed {
                        "hmac_secret"
                    } else {
                        "api_key"
                    },
                    &feed_secret,
                ),
            ],
        );
        let address = |new: &NewConnection| {
            format!(
                "{}/notices/{}/{}",
                app.public_url, new.provider, new.connection_id
            )
        };
        self.sandbox.vnpay().register(Merchant {
            tmn_code: terminal.clone(),
            hash_secret: vnpay_secret,
            ipn_url: address(&vnpay),
            name: school.name.clone(),
        });
        self.sandbox.bank().register(Account {
            bin: school.bank_bin.clone(),
            number: school.bank_account.clone(),
            holder: school.bank_account_name.clone(),
            webhook_url: address(&feed),
            key: if signed_feed {
                FeedKey::Hmac(feed_secret)
            } else {
                FeedKey::ApiKey(feed_secret)
            },
        });
        let (seal, ids) = (app.seal.clone(), app.ids.clone());
        app.db
            .write("demo.connect", async move |tx: &mut Tx| {
                connections::put(tx, &seal, &ids, &vnpay).await?;
                connections::put(tx, &seal, &ids, &feed).await
            })
            .await?;
        self.terminals.push(terminal);
        self.accounts.push(school.bank_account.clone());
        Ok(())
    }

    /// A signing key for the school; every second one comes as PKCS#12, the others as PEM.
    async fn certify(&self, school: &School, pki: &Pki) -> Result<()> {
        let identity = pki.issue(&school.name, &school.tax_code)?;
        let key = if self.terminals.len().is_multiple_of(2) {
            SigningKey::from_pkcs12(&identity.pkcs12(PKCS12_PASSWORD)?, PKCS12_PASSWORD)?
        } else {
            SigningKey::from_pem(&format!("{}{}", identity.key_pem, identity.certificate_pem))?
        };
        invoices::service::install_key(&self.app, &school.school_id, &key, &[]).await?;
        // The kind of invoice follows from the VAT method the school is registered with.
        let parameters = parameters::load_for(&self.app.db, school).await?;
        let form = match parameters.text("vat_method", self.app.clock.today())? {
            "DIRECT" => "2",
            _ => "1",
        }
        .to_owned();
        self.sandbox.tax().register(Taxpayer {
            tax_code: school.tax_code.clone(),
            name: school.name.clone(),
            form,
        });
        Ok(())
    }

    /// An accountant for every school and an officer for every office.
    async fn people(&mut self, schools: &[School]) -> Result<()> {
        for school in schools {
            let login = format!("ketoan.{}", school.code.to_lowercase());
            let who = format!("Kế toán {}", school.name);
            people::create_user(
                &self.app,
                &login,
                PASSWORD,
                &who,
                Role::Accountant,
                &school.unit_id(),
            )
            .await?;
            self.logins.push(Login {
                who,
                login,
                password: PASSWORD,
            });
        }
        let offices: Vec<(UnitId, String, String)> = self
            .app
            .db
            .sql(
                "SELECT unit_id, code, name FROM org_unit
                  WHERE kind IN ('DEPARTMENT', 'COMMUNE_OFFICE') AND valid_to IS NULL ORDER BY code",
            )
            .all()
            .await?;
        for (unit, code, name) in offices {
            let login = format!("quanly.{}", code.to_lowercase());
            let who = name;
            people::create_user(&self.app, &login, PASSWORD, &who, Role::Office, &unit).await?;
            self.logins.push(Login {
                who,
                login,
                password: PASSWORD,
            });
        }
        Ok(())
    }

    /// A page of the gateway, as a browser without a login sees it.
    pub async fn page(&self, path: &str) -> Result<String> {
        let response = self
            .client
            .get(format!("{}{path}", self.base_url))
            .send()
            .await?;
        let status = response.status();
        let body = response.text().await?;
        if !status.is_success() {
            bail!("{path} answered {status}");
        }
        Ok(body)
    }

    /// Waits until nothing is left to do, so that every collection has its invoice.
    pub async fn settle_down(&self, at_most: Duration) -> Result<()> {
        let deadline = tokio::time::Instant::now() + at_most;
        loop {
            let waiting = hocphi::jobs::waiting(&self.app.db).await?;
            if waiting.is_empty() {
                break;
            }
            if tokio::time::Instant::now() > deadline {
                bail!("việc còn chờ sau {at_most:?}: {waiting:?}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let dead = hocphi::jobs::dead(&self.app.db).await?;
        ensure!(dead.is_empty(), "việc hỏng cần người xem: {dead:?}");
        Ok(())
    }

    /// Stops the gateway and its jobs.
    pub async fn strike(self) -> Result<()> {
        self.stop.send_replace(true);
        for task in self.tasks {
            task.await?;
        }
        self.app.keeper.flush().await;
        self.app.db.close().await;
        Ok(())
    }
}

async fn start_sandbox(plan: &Plan<'_>, clock: &Clock, pki: Arc<Pki>) -> Result<Sandbox> {
    let clock = clock.clone();
    let mut config = Config::new(Arc::new(move || clock.now().unix()), plan.seed, pki);
    config.listen = plan.sandbox;
    config.tax_token = TAX_TOKEN.to_owned();
    Ok(Sandbox::start(config).await?)
}

async fn refuse_used(db: &Db) -> Result<()> {
    let (schools,): (i64,) = db.sql("SELECT COUNT(*) FROM school").one().await?;
    if schools > 0 {
        bail!(
            "cơ sở dữ liệu đã có trường học: hãy dùng một cơ sở dữ liệu trống cho bản trình diễn"
        );
    }
    Ok(())
}

/// The school year that a day belongs to, and the day from which its rosters count.
fn school_year_of(today: Day) -> Result<(String, Day)> {
    let first = if today.month() >= 8 {
        today.year()
    } else {
        today.year() - 1
    };
    let day = Day::new(first, 8, 1).context("rosters count from 1 August")?;
    Ok((format!("{first}-{}", first + 1), day))
}

async fn publish(
    app: &App,
    school: &School,
    name: &str,
    round: &[(&str, &str)],
    school_year: &str,
    today: Day,
) -> Result<()> {
    let items = round
        .iter()
        .map(|(code, quantity)| Ok(((*code).to_owned(), quantity.parse()?)))
        .collect::<Result<Vec<_>>>()?;
    let round = NewRound {
        name: name.to_owned(),
        school_year: school_year.to_owned(),
        charge_day: today,
        due_day: today.plus_days(14),
        items,
    };
    let round = fees::service::create_round(app, &school.school_id, round).await?;
    fees::service::publish(app, &school.school_id, &round).await?;
    Ok(())
}
