//! Paper: blocks of marks placed under each other, from page to page.
//!
//! A block is laid out from its own top left corner and never divided; it goes to a new page when it
//! does not fit. Heads and feet are added when the number of pages is known.

use super::font::Weight;
use super::units::Milli;

/// Size of the paper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paper {
    #[default]
    A4,
    A5,
}

impl Paper {
    pub const fn size(self) -> (Milli, Milli) {
        match self {
            Self::A4 => (Milli(595_276), Milli(841_890)),
            Self::A5 => (Milli(419_528), Milli(595_276)),
        }
    }

    pub const fn margin(self) -> Milli {
        match self {
            Self::A4 => Milli(34_000),
            Self::A5 => Milli(22_000),
        }
    }

    pub fn width(self) -> Milli {
        self.size().0 - self.margin() * 2
    }

    /// A length meant for A4, in proportion.
    pub fn scaled(self, length: Milli) -> Milli {
        length.share(self.width().0, Self::A4.width().0)
    }

    /// A size of type meant for A4: smaller paper is read from nearer, but not twice as near.
    pub fn type_size(self, size: Milli) -> Milli {
        match self {
            Self::A4 => size,
            Self::A5 => size.share(80, 100),
        }
    }
}

/// Black is 0, white 100.
pub type Gray = u8;

/// One thing on paper; places are from the block's top left corner downwards, text stands on `y`.
#[derive(Clone, Debug)]
pub enum Mark {
    Text {
        x: Milli,
        y: Milli,
        size: Milli,
        weight: Weight,
        gray: Gray,
        text: String,
    },
    Rule {
        from: (Milli, Milli),
        to: (Milli, Milli),
        width: Milli,
        gray: Gray,
    },
    Fill {
        at: (Milli, Milli),
        size: (Milli, Milli),
        gray: Gray,
    },
    /// Dark modules of a square code, row by row.
    Code {
        at: (Milli, Milli),
        side: Milli,
        modules: usize,
        dark: Vec<bool>,
    },
}

/// Marks that stay together.
#[derive(Clone, Debug, Default)]
pub struct Block {
    pub height: Milli,
    pub marks: Vec<Mark>,
}

impl Block {
    pub fn space(height: Milli) -> Self {
        Self {
            height,
            marks: Vec::new(),
        }
    }

    /// Puts another block under this one.
    pub fn under(&mut self, other: Self) {
        let top = self.height;
        self.height += other.height;
        self.at((Milli::ZERO, top), other.marks);
    }

    /// Puts marks at a place of this block, whatever its height.
    pub fn at(&mut self, (dx, dy): (Milli, Milli), marks: Vec<Mark>) {
        self.marks
            .extend(marks.into_iter().map(|mark| mark.moved(dx, dy)));
    }

    pub fn rule(&mut self, from: (Milli, Milli), to: (Milli, Milli), width: Milli, gray: Gray) {
        self.marks.push(Mark::Rule {
            from,
            to,
            width,
            gray,
        });
    }
}

impl Mark {
    fn moved(self, dx: Milli, dy: Milli) -> Self {
        let by = |(x, y): (Milli, Milli)| (x + dx, y + dy);
        match self {
            Self::Text {
                x,
                y,
                size,
                weight,
                gray,
                text,
            } => Self::Text {
                x: x + dx,
                y: y + dy,
                size,
                weight,
                gray,
                text,
            },
            Self::Rule {
                from,
                to,
                width,
                gray,
            } => Self::Rule {
                from: by(from),
                to: by(to),
                width,
                gray,
            },
            Self::Fill { at, size, gray } => Self::Fill {
                at: by(at),
                size,
                gray,
            },
            Self::Code {
                at,
                side,
                modules,
                dark,
            } => Self::Code {
                at: by(at),
                side,
                modules,
                dark,
            },
        }
    }
}

/// How a text stands between two edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Center,
    Right,
}

/// Type of a run of text.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    pub size: Milli,
    pub weight: Weight,
    pub gray: Gray,
}

impl Style {
    pub const fn regular(size: Milli) -> Self {
        Self {
            size,
            weight: Weight::Regular,
            gray: 0,
        }
    }

    pub const fn bold(size: Milli) -> Self {
        Self {
            size,
            weight: Weight::Bold,
            gray: 0,
        }
    }

    pub const fn quiet(self) -> Self {
        Self { gray: 35, ..self }
    }

    /// From one line to the next.
    pub fn leading(self) -> Milli {
        self.size.share(135, 100)
    }

    /// From the top of a line to where letters stand.
    pub fn baseline(self) -> Milli {
        self.size.share(105, 100)
    }

    pub fn width(self, text: &str) -> Milli {
        self.weight.font().width(text, self.size)
    }

    /// A line that is made smaller when it would not fit: numbers must not be broken.
    pub fn line(self, text: &str, align: Align, x: Milli, width: Milli) -> Block {
        let natural = self.width(text);
        let style = if natural > width && natural > Milli::ZERO {
            Self {
                size: self.size.share(width.0, natural.0),
                ..self
            }
        } else {
            self
        };
        let mut block = Block::space(self.leading());
        if !text.is_empty() {
            block
                .marks
                .push(style.mark(text.to_owned(), align, x, width, self.baseline()));
        }
        block
    }

    /// Lines broken between words, or inside a word that is longer than a line.
    pub fn paragraph(self, text: &str, align: Align, x: Milli, width: Milli) -> Block {
        let mut block = Block::default();
        for line in self.broken(text, width) {
            let y = block.height + self.baseline();
            block.marks.push(self.mark(line, align, x, width, y));
            block.height += self.leading();
        }
        block
    }

    fn mark(self, text: String, align: Align, x: Milli, width: Milli, y: Milli) -> Mark {
        let x = match align {
            Align::Left => x,
            Align::Center => x + (width - self.width(&text)).half(),
            Align::Right => x + width - self.width(&text),
        };
        Mark::Text {
            x,
            y,
            size: self.size,
            weight: self.weight,
            gray: self.gray,
            text,
        }
    }

    /// The text in lines that fit.
    pub fn broken(self, text: &str, width: Milli) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let mut line = String::new();
        let mut filled = Milli::ZERO;
        let blank = self.width(" ");
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let length = self.width(word);
            if !line.is_empty() && filled + blank + length <= width {
                line.push(' ');
                line.push_str(word);
                filled += blank + length;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            if length <= width {
                line.push_str(word);
                filled = length;
                continue;
            }
            filled = Milli::ZERO;
            for letter in word.chars() {
                let advance =
                    Milli(i32::from(self.weight.font().advance(letter)) * (self.size.0 / 10) / 100);
                if !line.is_empty() && filled + advance > width {
                    lines.push(std::mem::take(&mut line));
                    filled = Milli::ZERO;
                }
                line.push(letter);
                filled += advance;
            }
        }
        if !line.is_empty() {
            lines.push(line);
        }
        lines
    }
}

/// Pages in the making.
pub struct Sheets {
    pub paper: Paper,
    /// Where the first block of a page begins, and where the last must have ended.
    top: Milli,
    bottom: Milli,
    at: Milli,
    pub pages: Vec<Block>,
}

impl Sheets {
    /// `foot` is kept free at the end of every page.
    pub fn new(paper: Paper, foot: Milli) -> Self {
        Self {
            paper,
            top: paper.margin(),
            bottom: paper.size().1 - paper.margin() - foot,
            at: paper.margin(),
            pages: vec![Block::default()],
        }
    }

    pub fn fits(&self, height: Milli) -> bool {
        self.at + height <= self.bottom
    }

    /// Whether anything stands on the current page.
    pub fn is_fresh(&self) -> bool {
        self.at == self.top
    }

    /// Places a block on the current page, at the left margin.
    pub fn place(&mut self, block: Block) {
        let at = (self.paper.margin(), self.at);
        self.at += block.height;
        if let Some(page) = self.pages.last_mut() {
            page.at(at, block.marks);
        }
    }

    pub fn next_page(&mut self) {
        self.pages.push(Block::default());
        self.at = self.top;
    }

    /// Where the space kept free for feet begins.
    pub fn foot(&self) -> Milli {
        self.bottom
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_inside_words_that_are_too_long() {
        let style = Style::regular(Milli(10_000));
        let width = style.width("Học phí tháng");
        assert_eq!(
            style.broken("Học phí tháng 11 năm 2026", width),
            ["Học phí tháng", "11 năm 2026"]
        );
        let long = style.broken(&"ă".repeat(100), width);
        assert!(long.len() > 5 && long.concat() == "ă".repeat(100));
        assert!(long.iter().all(|line| style.width(line) <= width));
        assert!(style.broken("", width).is_empty());
    }

    #[test]
    fn a_number_that_does_not_fit_is_made_smaller_never_broken() {
        let style = Style::regular(Milli(10_000));
        let block = style.line(
            "999.999.999.999.999",
            Align::Right,
            Milli::ZERO,
            Milli(50_000),
        );
        let [Mark::Text { size, x, .. }] = &block.marks[..] else {
            panic!("{block:?}")
        };
        assert!(*size < Milli(10_000) && *x >= Milli::ZERO);
    }
}
