//! House rules that no compiler checks: SQL on both engines, directions between features, no floats.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use hocphi::store::{Db, Engine, engine_text};
use sqlx::{Executor, SqlStr};

use crate::engines::fresh_databases;

// ---- reading the source -----------------------------------------------------------------------

/// A file of the tree, with its path from the root of the project.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn place(&self, offset: usize) -> String {
        let line = 1 + self.text[..offset].matches('\n').count();
        format!("{}:{line}", self.path)
    }

    /// The text with comments and the insides of literals blanked; offsets stay.
    fn code(&self) -> String {
        let mut code = self.text.clone().into_bytes();
        let mut blank = |from: usize, to: usize| {
            for byte in &mut code[from..to] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
        };
        let text = &self.text;
        let mut at = 0;
        while let Some(character) = text[at..].chars().next() {
            let rest = &text[at..];
            if rest.starts_with("//") {
                let end = at + rest.find('\n').unwrap_or(rest.len());
                blank(at, end);
                at = end;
            } else if let Some((_, length)) = literal(rest) {
                blank(at + 1, at + length - 1);
                at += length;
            } else if rest.starts_with("'\"'") || rest.starts_with("'\\") {
                // A character that looks like the start of a literal or of an escape.
                at += rest[2..].find('\'').map_or(1, |end| end + 3);
            } else if character.is_ascii_alphanumeric() || character == '_' {
                // A whole word, so that the `r` of `for "x"` is not the start of a raw literal.
                at += rest
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                    .unwrap_or(rest.len());
            } else {
                at += character.len_utf8();
            }
        }
        String::from_utf8(code).expect("blanks are ASCII")
    }
}

/// The string literal that `text` starts with, as the compiler reads it, and its length in the text.
fn literal(text: &str) -> Option<(String, usize)> {
    if let Some(raw) = text.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let inside = raw[hashes..].strip_prefix('"')?;
        let end = inside.find(&format!("\"{}", "#".repeat(hashes)))?;
        return Some((inside[..end].to_owned(), 1 + hashes + 1 + end + 1 + hashes));
    }
    let inside = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut characters = inside.char_indices().peekable();
    while let Some((offset, character)) = characters.next() {
        match character {
            '"' => return Some((value, offset + 2)),
            '\\' => match characters.next()?.1 {
                '\n' => while characters.next_if(|(_, c)| c.is_whitespace()).is_some() {},
                'n' => value.push('\n'),
                't' => value.push('\t'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file under the folders, in the order of their paths.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    let mut found = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the project") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(root()).expect("a path of the project");
                found.push(Source {
                    path: inside.display().to_string(),
                    text: std::fs::read_to_string(&path).expect("UTF-8"),
                });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(!found.is_empty(), "no sources under {folders:?}");
    found
}

// ---- SQL --------------------------------------------------------------------------------------

/// A statement of the source: where it stands, and its text for each engine.
struct Statement {
    place: String,
    sqlite: &'static str,
    postgres: &'static str,
}

/// Every literal of `.sql("…")` and `.sql_by_engine("…", "…")`, and calls that hold none.
fn statements() -> (Vec<Statement>, Vec<String>) {
    let mut found = Vec::new();
    let mut unreadable = Vec::new();
    // What `store` passes on are its own parameters.
    for source in sources(&["src"])
        .iter()
        .filter(|source| !source.path.starts_with("src/store/"))
    {
        let code = source.code();
        for (call, both) in [
            (".sql(", false),
            (".sql_by_engine(", true),
            (".bulk(", true),
        ] {
            for (offset, _) in code.match_indices(call) {
                let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
                let mut at = offset + call.len();
                let mut next = || {
                    at += source.text[at..].len() - source.text[at..].trim_start().len();
                    let (value, length) = literal(&source.text[at..])?;
                    at += length;
                    at += usize::from(source.text[at..].starts_with(','));
                    Some(leak(value))
                };
                let texts = next().and_then(|first| {
                    let second = if both { next()? } else { first };
                    Some((first, second))
                });
                match texts {
                    Some((sqlite, postgres)) => found.push(Statement {
                        place: source.place(offset),
                        sqlite,
                        postgres,
                    }),
                    // `fees::store` has a trait that passes a parameter on.
                    None if code[..offset].ends_with("fn") => {}
                    None => unreadable.push(source.place(offset)),
                }
            }
        }
    }
    (found, unreadable)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_in_the_source_prepares_on_both_engines() {
    let (statements, unreadable) = statements();
    assert!(
        unreadable.is_empty(),
        "SQL must be a literal in the call: {unreadable:#?}"
    );
    assert!(
        statements.len() > 100,
        "the scanner found only {} statements",
        statements.len()
    );
    let mut faults = Vec::new();
    for (db, _keep) in fresh_databases().await {
        let engine = db.engine();
        let nonsense = prepare(&db, "SELECT x FROM no_such_table").await;
        assert!(
            nonsense.is_err(),
            "{engine:?} does not look at what it prepares"
        );
        for statement in &statements {
            let text = match engine {
                Engine::Sqlite => statement.sqlite,
                Engine::Postgres => statement.postgres,
            };
            if let Err(error) = prepare(&db, engine_text(text, engine)).await {
                faults.push(format!("{} on {engine:?}: {error}", statement.place));
            }
        }
        db.close().await;
    }
    assert!(
        faults.is_empty(),
        "{} statements do not prepare:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

async fn prepare(db: &Db, text: &'static str) -> Result<(), sqlx::Error> {
    let text = SqlStr::from_static(text);
    match db {
        Db::Sqlite { read, .. } => read.acquire().await?.prepare(text).await.map(drop),
        Db::Postgres(pool) => pool.acquire().await?.prepare(text).await.map(drop),
    }
}

/// What a column is, as far as both engines can say it.
#[derive(Debug, PartialEq, Eq)]
struct Column {
    kind: &'static str,
    required: bool,
    in_key: bool,
}

type Tables = BTreeMap<String, BTreeMap<String, Column>>;

async fn tables(db: &Db) -> Tables {
    let rows: Vec<(String, String, String, i64, i64)> = db
        .sql_by_engine(
            "SELECT t.name, c.name, lower(c.type), c.\"notnull\" <> 0, c.pk > 0
               FROM sqlite_schema t JOIN pragma_table_info(t.name) c
              WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name NOT LIKE '_sqlx%'",
            "SELECT c.table_name::TEXT, c.column_name::TEXT, c.data_type::TEXT,
                    (c.is_nullable = 'NO')::INT::BIGINT,
                    (EXISTS (SELECT 1 FROM information_schema.table_constraints k
                               JOIN information_schema.key_column_usage u USING (constraint_schema, constraint_name)
                              WHERE k.constraint_type = 'PRIMARY KEY' AND k.table_name = c.table_name
                                AND u.column_name = c.column_name))::INT::BIGINT
               FROM information_schema.columns c
               JOIN information_schema.tables t USING (table_schema, table_name)
              WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'
                AND c.table_name NOT LIKE '\\_sqlx%'",
        )
        .all()
        .await
        .expect("the catalogue");
    let mut tables = Tables::new();
    for (table, column, kind, required, in_key) in rows {
        let kind = match kind.as_str() {
            // Days and documents are TEXT on SQLite, instants INTEGER (design §3).
            "text" | "date" | "jsonb" => "text",
            "integer" | "bigint" | "smallint" | "timestamp with time zone" => "integer",
            "blob" | "bytea" => "bytes",
            other => panic!("{table}.{column} is {other}, which is not of the portable subset"),
        };
        let column_is = Column {
            kind,
            required: required != 0,
            in_key: in_key != 0,
        };
        tables.entry(table).or_default().insert(column, column_is);
    }
    tables
}

#[tokio::test(flavor = "multi_thread")]
async fn both_engines_have_the_same_tables_columns_keys_and_obligations() {
    let databases = fresh_databases().await;
    let [(sqlite, _), (postgres, _)] = databases.as_slice() else {
        return; // `fresh_databases` has said why.
    };
    let (sqlite, postgres) = (tables(sqlite).await, tables(postgres).await);
    assert!(sqlite.len() > 20, "only {} tables", sqlite.len());
    let names: BTreeSet<&String> = sqlite.keys().chain(postgres.keys()).collect();
    let mut faults = Vec::new();
    for name in names {
        let (Some(here), Some(there)) = (sqlite.get(name), postgres.get(name)) else {
            faults.push(format!("{name} is on one engine only"));
            continue;
        };
        let columns: BTreeSet<&String> = here.keys().chain(there.keys()).collect();
        for column in columns {
            let (one, other) = (here.get(column), there.get(column));
            if one != other {
                faults.push(format!(
                    "{name}.{column}: SQLite {one:?}, PostgreSQL {other:?}"
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

// ---- distribution -----------------------------------------------------------------------------

/// Tables that are not spread by school, with what docs/scale.md says about them.
const NOT_BY_SCHOOL: [&str; 8] = [
    "import_batch",
    "job",
    "login_session",
    "org_relation",
    "org_succession",
    "org_unit",
    "parameter",
    "user_account",
];

/// Uniqueness that reaches across schools: what a distributed engine must look up elsewhere.
const UNIQUE_EVERYWHERE: [(&str, &str); 5] = [
    ("fee_bill", "access_token"),
    ("fee_bill", "bill_code"),
    ("invoice", "lookup_code"),
    ("payment_receipt", "lookup_code"),
    ("provider_connection", "connection_id"),
];

#[tokio::test]
async fn keys_begin_with_the_school_except_where_docs_scale_says_so() {
    let page = std::fs::read_to_string(root().join("docs/scale.md")).expect("docs/scale.md");
    // The embedded database comes first; that both have the same keys is another test's.
    let mut databases = fresh_databases().await;
    let spread = databases.split_off(1);
    let (db, _keep) = databases.remove(0);
    let first: Vec<(String, String)> = db
        .sql(
            "SELECT t.name, c.name
               FROM sqlite_schema t JOIN pragma_table_info(t.name) c
              WHERE t.type = 'table' AND c.pk > 0 AND t.name NOT LIKE '_sqlx%'
                AND NOT EXISTS (SELECT 1 FROM pragma_table_info(t.name) s
                                 WHERE s.name = 'school_id' AND s.pk > 0 AND c.name <> s.name)
              GROUP BY t.name
              ORDER BY t.name",
        )
        .all()
        .await
        .expect("the catalogue");
    assert!(first.len() > 20, "only {} tables", first.len());
    let mut faults = Vec::new();
    for (table, column) in &first {
        let listed = NOT_BY_SCHOOL.contains(&table.as_str());
        if (column == "school_id") == listed {
            faults.push(format!(
                "the key of {table} has {column} and not the school"
            ));
        }
        if !page.contains(&format!("`{table}`")) {
            faults.push(format!("docs/scale.md does not name {table}"));
        }
    }
    let unique: Vec<(String, String)> = db
        .sql(
            "SELECT t.name, i.name
               FROM sqlite_schema t JOIN pragma_index_list(t.name) i
              WHERE t.type = 'table' AND i.\"unique\" = 1
                AND EXISTS (SELECT 1 FROM pragma_table_info(t.name) c WHERE c.name = 'school_id')
                AND NOT EXISTS (SELECT 1 FROM pragma_index_info(i.name) c WHERE c.name = 'school_id')
              ORDER BY t.name, i.name",
        )
        .all()
        .await
        .expect("the catalogue");
    for (table, index) in unique {
        let columns: Vec<(String,)> = db
            .sql("SELECT name FROM pragma_index_info($1) ORDER BY seqno")
            .bind(index)
            .all()
            .await
            .expect("the catalogue");
        let columns: Vec<&str> = columns.iter().map(|(name,)| name.as_str()).collect();
        let known = UNIQUE_EVERYWHERE
            .iter()
            .any(|(name, column)| *name == table && columns == [*column]);
        // A job is found by its identifier, wherever its school lies.
        if !known && table != "job" {
            faults.push(format!(
                "{table} is unique by {columns:?} without the school"
            ));
        }
    }
    // The engine that may be spread over machines: there the order counts as well.
    for (db, _keep) in spread {
        let first: Vec<(String, String)> = db
            .sql(
                "SELECT k.table_name::TEXT, u.column_name::TEXT
                   FROM information_schema.table_constraints k
                   JOIN information_schema.key_column_usage u USING (constraint_schema, constraint_name)
                  WHERE k.constraint_type = 'PRIMARY KEY' AND u.ordinal_position = 1
                    AND k.table_schema = 'public' AND k.table_name NOT LIKE '\\_sqlx%'",
            )
            .all()
            .await
            .expect("the catalogue");
        assert!(first.len() > 20, "only {} tables", first.len());
        for (table, column) in first {
            if (column == "school_id") == NOT_BY_SCHOOL.contains(&table.as_str()) {
                faults.push(format!("the key of {table} begins with {column}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

// ---- directions -------------------------------------------------------------------------------

const FEATURES: [&str; 12] = [
    "audit",
    "fees",
    "invoices",
    "ledger",
    "notices",
    "payments",
    "people",
    "reconcile",
    "refunds",
    "reports",
    "schools",
    "web",
];

/// Who may not know whom (design §2); pages are no exception, except that they may use `web`.
const FORBIDDEN: [(&str, &[&str]); 6] = [
    ("ledger", &FEATURES),
    ("payments", &["invoices", "refunds"]),
    ("refunds", &["invoices"]),
    ("fees", &["payments", "invoices", "refunds"]),
    ("schools", &["fees", "payments", "invoices", "ledger"]),
    ("people", &["fees", "payments", "invoices", "ledger"]),
];

/// The modules of the crate that a file names, with the place of each: `crate::x`, `crate::{x, y}`.
fn modules_named(source: &Source) -> Vec<(String, String)> {
    let code = source.code();
    let mut found = Vec::new();
    for (offset, start) in code.match_indices("crate::") {
        let at = offset + start.len();
        let group = code[at..].strip_prefix('{');
        let mut depth = 0;
        let mut word = String::new();
        let mut is_head = true;
        for character in group.unwrap_or(&code[at..]).chars() {
            if character.is_ascii_alphanumeric() || character == '_' {
                if is_head {
                    word.push(character);
                }
                continue;
            }
            if !word.is_empty() && is_head {
                found.push((source.place(offset), std::mem::take(&mut word)));
                is_head = false;
            }
            match character {
                '{' if group.is_some() => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' if group.is_some() && depth == 0 => is_head = true,
                ':' | ' ' | '\n' if group.is_some() => {}
                _ if group.is_some() && depth > 0 => {}
                _ => break,
            }
        }
    }
    found
}

#[test]
fn features_know_only_those_the_design_lets_them_know() {
    let mut offenders = Vec::new();
    for (feature, forbidden) in FORBIDDEN {
        for source in sources(&[&format!("src/{feature}")]) {
            for (place, module) in modules_named(&source) {
                if module != feature && forbidden.contains(&module.as_str()) {
                    offenders.push(format!("{place}: {feature} uses {module}"));
                }
            }
        }
    }
    for (folder, forbidden) in [
        ("adapters", &["hocphi", "hocphi_sandbox"] as &[&str]),
        ("sandbox", &["hocphi", "hocphi_adapters"]),
    ] {
        for source in sources(&[folder]) {
            let code = source.code();
            for name in forbidden {
                for (offset, _) in code.match_indices(&format!("{name}::")) {
                    if !code[..offset].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
                        offenders.push(format!("{}: {folder} uses {name}", source.place(offset)));
                    }
                }
            }
        }
    }
    assert!(offenders.is_empty(), "{}", offenders.join("\n"));
}

#[test]
fn rules_decide_without_database_network_or_waiting() {
    let mut offenders = Vec::new();
    let mut seen = 0;
    for source in sources(&["src"]) {
        let is_rules = source.path.ends_with("/rules.rs") || source.path.contains("/rules/");
        if !is_rules {
            continue;
        }
        seen += 1;
        let code = source.code();
        for word in ["sqlx", "axum", "reqwest", "async", "await", "tokio"] {
            for offset in words(&code, word) {
                offenders.push(format!("{}: {word}", source.place(offset)));
            }
        }
    }
    assert!(seen >= 5, "only {seen} files of rules");
    assert!(offenders.is_empty(), "{}", offenders.join("\n"));
}

#[test]
fn no_floating_point_number_touches_money_or_anything_else() {
    const EXCUSED: [&str; 3] = [
        // A signature over numbers as JavaScript prints them.
        "adapters/recipe/json.rs",
        // Excel stores every number as one; the reader turns it into decimal text at the cell.
        "src/schools/import/sheet/xlsx.rs",
        // Names the type in order to refuse it.
        "src/store/cells.rs",
    ];
    let mut offenders = Vec::new();
    for source in sources(&["src", "adapters"]) {
        if EXCUSED.contains(&source.path.as_str()) {
            continue;
        }
        let code = source.code();
        for word in ["f32", "f64"] {
            for offset in words(&code, word) {
                offenders.push(format!("{}: {word}", source.place(offset)));
            }
        }
    }
    assert!(offenders.is_empty(), "{}", offenders.join("\n"));
}

/// Where a whole word stands.
fn words<'c>(code: &'c str, word: &'c str) -> impl Iterator<Item = usize> + 'c {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
    code.match_indices(word)
        .map(|(offset, _)| offset)
        .filter(move |&offset| {
            !code[..offset].ends_with(inside) && !code[offset + word.len()..].starts_with(inside)
        })
}

#[test]
fn the_scanner_reads_literals_and_groups_as_the_compiler_does() {
    let source = Source {
        path: "x.rs".to_owned(),
        text: "use crate::{fees::{a, ledger}, App,\n  web as w}; // crate::people\n\
               let quote = '\"'; let s = r#\"crate::\"audit\"#; let t = \"a \\\n   b\\\"\";\n\
               crate::invoices::run(); for x in \"f64\" {}"
            .to_owned(),
    };
    let named: Vec<String> = modules_named(&source)
        .into_iter()
        .map(|(place, module)| format!("{place} {module}"))
        .collect();
    assert_eq!(
        named,
        ["x.rs:1 fees", "x.rs:1 App", "x.rs:1 web", "x.rs:5 invoices"]
    );
    assert_eq!(
        literal("\"a \\\n   b\\\"\" rest"),
        Some(("a b\"".to_owned(), 12))
    );
    assert_eq!(literal("r#\"x\"y\"# rest"), Some(("x\"y".to_owned(), 8)));
    assert_eq!(words(&source.code(), "f64").count(), 0);
}
