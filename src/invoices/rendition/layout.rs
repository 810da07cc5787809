//! Where everything of an invoice or a receipt stands on paper.

use fast_qr::ECL;
use fast_qr::qr::QRBuilder;

use super::content::{Line, Pair, Shown, SignatureBox};
use super::sheet::{Align, Block, Mark, Paper, Sheets, Style};
use super::units::Milli;
use super::wording;
use super::{Kind, RenditionOptions};

const HAIR: Milli = Milli(500);
const GRID: u8 = 55;
const HEAD_FILL: u8 = 93;

/// Sizes on one paper.
struct Look {
    paper: Paper,
    width: Milli,
    title: Style,
    strong: Style,
    text: Style,
    small: Style,
    pad: Milli,
}

impl Look {
    fn new(paper: Paper) -> Self {
        let size = |points| paper.type_size(Milli(points));
        Self {
            paper,
            width: paper.width(),
            title: Style::bold(size(15_000)),
            strong: Style::bold(size(9_000)),
            text: Style::regular(size(9_000)),
            small: Style::regular(size(7_500)),
            pad: paper.type_size(Milli(2_500)),
        }
    }

    fn scaled(&self, points: i32) -> Milli {
        self.paper.scaled(Milli(points))
    }

    fn line_across(&self) -> Block {
        let mut block = Block::space(self.pad * 2);
        block.rule((Milli::ZERO, self.pad), (self.width, self.pad), HAIR, GRID);
        block
    }
}

/// Lays the whole document out. The answer are pages, each a block from the paper's top left corner.
pub fn pages(shown: &Shown, options: &RenditionOptions<'_>) -> Vec<Block> {
    let look = Look::new(options.paper);
    let foot = foot_height(&look);
    let mut sheets = Sheets::new(options.paper, foot);
    sheets.place(heading(&look, shown));
    sheets.place(look.line_across());
    sheets.place(party(&look, &shown.seller));
    if !shown.trustee.is_empty() {
        sheets.place(party(&look, &shown.trustee));
    }
    sheets.place(look.line_across());
    sheets.place(party(&look, &shown.buyer));
    sheets.place(Block::space(look.pad * 2));
    table(&look, shown, &mut sheets);
    let end = ending(&look, shown);
    if !sheets.fits(end.height) && !sheets.is_fresh() {
        next_page(&look, shown, &mut sheets);
    }
    sheets.place(end);
    let count = sheets.pages.len();
    let at = (options.paper.margin(), sheets.foot());
    for (place, page) in sheets.pages.iter_mut().enumerate() {
        let block = footer(&look, shown, options, place + 1, count);
        page.at(at, block.marks);
        if place > 0 {
            let note = format!("tiếp theo trang trước – trang {}/{count}", place + 1);
            let line = look
                .small
                .line(&note, Align::Right, Milli::ZERO, look.width);
            page.at((options.paper.margin(), options.paper.margin()), line.marks);
        }
    }
    sheets.pages
}

/// Title, day, code of the authority, symbol and number, and the square code.
fn heading(look: &Look, shown: &Shown) -> Block {
    let side = look.scaled(78_000);
    let gap = look.scaled(8_000);
    let edge = look.scaled(120_000);
    let middle = look.width - side - edge - gap * 2;
    let x = side + gap;
    let mut block = Block::default();
    block.under(
        look.title
            .paragraph(&shown.title.to_uppercase(), Align::Center, x, middle),
    );
    block.under(look.text.line(&shown.day, Align::Center, x, middle));
    if let Some(code) = &shown.authority_code {
        block.under(look.text.paragraph(
            &format!("Mã của cơ quan thuế: {code}"),
            Align::Center,
            x,
            middle,
        ));
    }
    for sentence in &shown.sentences {
        block.under(Block::space(look.pad));
        block.under(look.strong.paragraph(sentence, Align::Center, x, middle));
    }
    if shown.awaits_code {
        block.under(Block::space(look.pad));
        block.under(boxed(
            look,
            "HÓA ĐƠN CHƯA CÓ MÃ CỦA CƠ QUAN THUẾ – chưa được giao cho người mua",
            x,
            middle,
        ));
    }
    let right = x + middle + gap;
    let mut corner = Block::default();
    let symbol_label = if shown.kind == Kind::Receipt {
        "Ký hiệu"
    } else {
        "Mẫu số – Ký hiệu"
    };
    for (label, value, style) in [
        (symbol_label, &shown.symbol, look.strong),
        (
            "Số",
            &shown.number,
            Style::bold(look.paper.type_size(Milli(12_000))),
        ),
    ] {
        corner.under(look.small.quiet().line(label, Align::Right, right, edge));
        corner.under(style.line(value, Align::Right, right, edge));
    }
    block.at((Milli::ZERO, Milli::ZERO), corner.marks);
    if let Some(code) = square_code(&shown.qr, side) {
        block.marks.push(code);
    }
    block.height = block.height.max(side).max(corner.height);
    block
}

/// A warning in a frame.
fn boxed(look: &Look, text: &str, x: Milli, width: Milli) -> Block {
    let inset = look.pad * 2;
    let lines = look
        .strong
        .paragraph(text, Align::Center, x + inset, width - inset * 2);
    let mut block = Block::space(look.pad);
    block.under(lines);
    block.height += look.pad;
    frame(&mut block, x, width);
    block
}

fn frame(block: &mut Block, x: Milli, width: Milli) {
    let (top, bottom) = (Milli::ZERO, block.height);
    for (from, to) in [
        ((x, top), (x + width, top)),
        ((x, bottom), (x + width, bottom)),
        ((x, top), (x, bottom)),
        ((x + width, top), (x + width, bottom)),
    ] {
        block.rule(from, to, HAIR * 2, 0);
    }
}

fn square_code(text: &str, side: Milli) -> Option<Mark> {
    let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
    let modules = code.size;
    let dark = (0..modules)
        .flat_map(|row| code[row][..modules].iter().map(|module| module.value()))
        .collect();
    Some(Mark::Code {
        at: (Milli::ZERO, Milli::ZERO),
        side,
        modules,
        dark,
    })
}

/// Name first, in bold; short facts share a line where both fit.
fn party(look: &Look, pairs: &[Pair]) -> Block {
    let mut block = Block::default();
    let mut pairs = pairs.iter().peekable();
    let mut is_first = true;
    while let Some(pair) = pairs.next() {
        let style = if is_first { look.strong } else { look.text };
        let text = format!("{}: {}", pair.label, pair.value);
        let mut joined = false;
        if !is_first && let Some(next) = pairs.peek() {
            let beside = format!("{}: {}", next.label, next.value);
            let half = look.width.half();
            if style.width(&text) <= half - look.pad * 2 && style.width(&beside) <= half {
                let mut row = style.line(&text, Align::Left, Milli::ZERO, half);
                let marks = style.line(&beside, Align::Left, half, half).marks;
                row.marks.extend(marks);
                block.under(row);
                pairs.next();
                joined = true;
            }
        }
        if !joined {
            block.under(style.paragraph(&text, Align::Left, Milli::ZERO, look.width));
        }
        is_first = false;
    }
    block
}

/// A column of the table: its head, its width on A4 (0 takes what is left), and how values stand.
struct Column {
    head: &'static str,
    width: i32,
    align: Align,
    value: fn(&Line) -> &str,
}

impl Column {
    const fn new(head: &'static str, width: i32, align: Align, value: fn(&Line) -> &str) -> Self {
        Self {
            head,
            width,
            align,
            value,
        }
    }
}

fn columns(shown: &Shown) -> Vec<Column> {
    let mut columns = vec![Column::new("STT", 26_000, Align::Center, |line| {
        &line.place
    })];
    if shown.kind == Kind::Receipt {
        columns.push(Column::new("Khoản thu", 0, Align::Left, |line| {
            &line.name
        }));
        columns.push(Column::new("Số tiền", 100_000, Align::Right, |line| {
            &line.amount
        }));
        return columns;
    }
    columns.push(Column::new(
        "Tên hàng hóa, dịch vụ",
        0,
        Align::Left,
        |line| &line.name,
    ));
    columns.push(Column::new(
        "Đơn vị tính",
        44_000,
        Align::Center,
        |line| &line.unit,
    ));
    columns.push(Column::new("Số lượng", 42_000, Align::Right, |line| {
        &line.quantity
    }));
    columns.push(Column::new("Đơn giá", 68_000, Align::Right, |line| {
        &line.price
    }));
    if shown.has_discounts {
        columns.push(Column::new("Chiết khấu", 62_000, Align::Right, |line| {
            &line.discount
        }));
    }
    columns.push(Column::new("Thành tiền", 74_000, Align::Right, |line| {
        &line.amount
    }));
    if shown.kind == Kind::Vat {
        columns.push(Column::new("Thuế suất", 40_000, Align::Center, |line| {
            &line.rate
        }));
    }
    columns
}

/// Left edge and width of each column.
fn edges(look: &Look, columns: &[Column]) -> Vec<(Milli, Milli)> {
    let fixed: i32 = columns.iter().map(|column| column.width).sum();
    let rest = look.width - look.scaled(fixed);
    let mut x = Milli::ZERO;
    columns
        .iter()
        .map(|column| {
            let width = match column.width {
                0 => rest,
                points => look.scaled(points),
            };
            let edge = (x, width);
            x += width;
            edge
        })
        .collect()
}

fn table(look: &Look, shown: &Shown, sheets: &mut Sheets) {
    let columns = columns(shown);
    let edges = edges(look, &columns);
    let head = table_head(look, &columns, &edges);
    sheets.place(head.clone());
    for line in &shown.lines {
        let row = table_row(look, &columns, &edges, line);
        if !sheets.fits(row.height) && !sheets.is_fresh() {
            next_page(look, shown, sheets);
            sheets.place(head.clone());
        }
        sheets.place(row);
    }
}

fn table_head(look: &Look, columns: &[Column], edges: &[(Milli, Milli)]) -> Block {
    let style = Style::bold(look.small.size);
    let mut cells = Block::default();
    let blocks: Vec<_> = columns
        .iter()
        .zip(edges)
        .map(|(column, (x, width))| {
            style.paragraph(
                column.head,
                Align::Center,
                *x + look.pad,
                *width - look.pad * 2,
            )
        })
        .collect();
    let height = blocks
        .iter()
        .map(|block| block.height)
        .max()
        .unwrap_or_default();
    cells.height = height + look.pad * 2;
    cells.marks.push(Mark::Fill {
        at: (Milli::ZERO, Milli::ZERO),
        size: (look.width, cells.height),
        gray: HEAD_FILL,
    });
    for block in blocks {
        let top = look.pad + (height - block.height).half();
        cells.at((Milli::ZERO, top), block.marks);
    }
    cells.rule(
        (Milli::ZERO, Milli::ZERO),
        (look.width, Milli::ZERO),
        HAIR,
        GRID,
    );
    grid(look, &mut cells, edges);
    cells
}

fn table_row(look: &Look, columns: &[Column], edges: &[(Milli, Milli)], line: &Line) -> Block {
    let mut row = Block::default();
    let mut height = Milli::ZERO;
    for (column, (x, width)) in columns.iter().zip(edges) {
        let value = (column.value)(line);
        let (x, width) = (*x + look.pad, *width - look.pad * 2);
        let cell = if column.align == Align::Right {
            look.text.line(value, column.align, x, width)
        } else {
            look.text.paragraph(value, column.align, x, width)
        };
        height = height.max(cell.height);
        row.at((Milli::ZERO, look.pad), cell.marks);
    }
    row.height = height + look.pad * 2;
    grid(look, &mut row, edges);
    row
}

/// Lines between columns and under a row.
fn grid(look: &Look, row: &mut Block, edges: &[(Milli, Milli)]) {
    let bottom = row.height;
    for x in edges.iter().map(|(x, _)| *x).chain([look.width]) {
        row.rule((x, Milli::ZERO), (x, bottom), HAIR, GRID);
    }
    row.rule((Milli::ZERO, bottom), (look.width, bottom), HAIR, GRID);
}

/// Later pages repeat which document, whose and for whom.
fn next_page(look: &Look, shown: &Shown, sheets: &mut Sheets) {
    sheets.next_page();
    let mut block = Block::space(look.small.leading());
    let what = format!(
        "{} · ký hiệu {} · số {} · {}",
        shown.title,
        shown.symbol,
        shown.number,
        wording::day(&shown.issue_day)
    );
    block.under(
        look.strong
            .paragraph(&what, Align::Left, Milli::ZERO, look.width),
    );
    for pairs in [&shown.seller, &shown.buyer] {
        let name = pairs
            .first()
            .map(|pair| format!("{}: {}", pair.label, pair.value));
        let tax_code = pairs
            .iter()
            .find(|pair| pair.label == "Mã số thuế")
            .map(|pair| format!("Mã số thuế: {}", pair.value));
        let text = [name, tax_code]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" · ");
        block.under(
            look.small
                .paragraph(&text, Align::Left, Milli::ZERO, look.width),
        );
    }
    if shown.awaits_code {
        block.under(look.small.paragraph(
            "Hóa đơn chưa có mã của cơ quan thuế",
            Align::Left,
            Milli::ZERO,
            look.width,
        ));
    }
    block.under(Block::space(look.pad * 2));
    sheets.place(block);
}

/// Totals, words and signatures: they stay on one page.
fn ending(look: &Look, shown: &Shown) -> Block {
    let mut block = Block::space(look.pad * 2);
    if !shown.rates.is_empty() {
        block.under(rate_table(look, shown));
        block.under(Block::space(look.pad * 2));
    }
    let value_width = look.scaled(110_000);
    let last = shown.totals.len().saturating_sub(1);
    for (place, total) in shown.totals.iter().enumerate() {
        let style = if place == last {
            look.strong
        } else {
            look.text
        };
        let mut row = style.line(
            &format!("{}:", total.label),
            Align::Right,
            Milli::ZERO,
            look.width - value_width,
        );
        let marks = style
            .line(
                &total.value,
                Align::Right,
                look.width - value_width,
                value_width,
            )
            .marks;
        row.marks.extend(marks);
        block.under(row);
    }
    block.under(Block::space(look.pad));
    block.under(look.text.paragraph(
        &format!("Số tiền viết bằng chữ: {}", shown.words),
        Align::Left,
        Milli::ZERO,
        look.width,
    ));
    for text in &shown.legend {
        block.under(
            look.small
                .quiet()
                .paragraph(text, Align::Left, Milli::ZERO, look.width),
        );
    }
    block.under(Block::space(look.pad * 3));
    block.under(signature_row(look, &shown.signatures));
    block
}

fn rate_table(look: &Look, shown: &Shown) -> Block {
    let widths = [90_000, 110_000, 110_000].map(|points| look.scaled(points));
    let whole = widths.iter().fold(Milli::ZERO, |sum, width| sum + *width);
    let left = look.width - whole;
    let mut block = Block::default();
    let row = |texts: [&str; 3], style: Style| {
        let mut row = Block::space(style.leading() + look.pad);
        let mut x = left;
        for (text, width) in texts.into_iter().zip(widths) {
            let cell = style.line(text, Align::Right, x + look.pad, width - look.pad * 2);
            row.at((Milli::ZERO, look.pad.half()), cell.marks);
            x += width;
        }
        let bottom = row.height;
        row.rule((left, bottom), (look.width, bottom), HAIR, GRID);
        row
    };
    block.under(row(
        ["Thuế suất", "Tiền chưa thuế", "Tiền thuế"],
        Style::bold(look.small.size),
    ));
    for total in &shown.rates {
        block.under(row([&total.rate, &total.net, &total.vat], look.text));
    }
    block
}

fn signature_row(look: &Look, boxes: &[SignatureBox]) -> Block {
    let mut block = Block::default();
    let count = i32::try_from(boxes.len()).unwrap_or(1).max(1);
    let width = look.width.share(1, count);
    for (place, signature) in (0_i32..).zip(boxes) {
        let x = width * place;
        let mut column = Block::default();
        column.under(
            look.strong
                .paragraph(signature.title, Align::Center, x, width),
        );
        column.under(
            look.small
                .quiet()
                .line(signature.note, Align::Center, x, width),
        );
        if let Some(signer) = &signature.signer {
            column.under(Block::space(look.pad * 2));
            let inset = look.pad * 3;
            let (left, inner) = (x + look.pad, width - look.pad * 2);
            let mut seal = Block::space(look.pad);
            for (text, style) in [
                ("Chữ ký số hợp lệ".to_owned(), Style::bold(look.small.size)),
                (format!("Ký bởi: {signer}"), look.small),
                (format!("Ký lúc: {}", signature.signed_at), look.small),
            ] {
                seal.under(style.paragraph(&text, Align::Left, left + inset, inner - inset * 2));
            }
            seal.height += look.pad;
            frame(&mut seal, left, inner);
            column.under(seal);
        }
        block.height = block.height.max(column.height);
        block.marks.extend(column.marks);
    }
    block
}

fn foot_height(look: &Look) -> Milli {
    look.small.leading() * 2 + look.pad * 3
}

fn footer(
    look: &Look,
    shown: &Shown,
    options: &RenditionOptions<'_>,
    page: usize,
    count: usize,
) -> Block {
    let mut block = look.line_across();
    let style = look.small.quiet();
    let mut find = String::new();
    if let Some(code) = &shown.lookup_code {
        find = match options.lookup_address {
            Some(address) => format!("Tra cứu tại {address} · Mã tra cứu: {code}"),
            None => format!("Mã tra cứu: {code}"),
        };
    }
    let number = format!("Trang {page}/{count}");
    let width = style.width(&number) + look.pad * 2;
    let mut row = style.line(&find, Align::Left, Milli::ZERO, look.width - width);
    let marks = style
        .line(&number, Align::Right, look.width - width, width)
        .marks;
    row.marks.extend(marks);
    block.under(row);
    let mut facts = vec![format!("Định dạng dữ liệu {}", shown.format)];
    if let Some(code) = &shown.solution_provider {
        facts.push(format!(
            "Đơn vị cung cấp giải pháp hóa đơn điện tử: MST {code}"
        ));
    }
    facts.push("Bản thể hiện; bản gốc là tệp XML có chữ ký số".to_owned());
    block.under(style.line(&facts.join(" · "), Align::Left, Milli::ZERO, look.width));
    block
}
