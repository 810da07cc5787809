//! Why a file is not read.

use super::{ATTRIBUTES_MAX, DEPTH_MAX, FILE_BYTES_MAX, NAMESPACES_MAX, NODES_MAX};

/// Why a file is not read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    #[error("an empty file")]
    Empty,
    #[error("{bytes} bytes, at most {FILE_BYTES_MAX} are read")]
    TooLarge { bytes: usize },
    #[error("UTF-16, but invoices are written in UTF-8")]
    Utf16,
    #[error("not UTF-8 from byte {at} on")]
    NotUtf8 { at: usize },
    #[error("not XML: the file does not begin with a tag")]
    NotXml,
    /// Other programs would read other letters.
    #[error("the file says it is written in {0}, but invoices are written in UTF-8")]
    Encoding(String),
    #[error("elements nested deeper than {DEPTH_MAX}")]
    TooDeep,
    #[error("an element with more than {ATTRIBUTES_MAX} attributes")]
    TooManyAttributes,
    #[error("more than {NAMESPACES_MAX} namespaces declared one inside the other")]
    TooManyNamespaces,
    #[error("more than {NODES_MAX} elements and texts")]
    TooManyNodes,
    #[error("a document type declaration, which no invoice has")]
    Doctype,
    /// Line and column from 1, the column in characters.
    #[error("not well-formed XML: line {line}, column {column}: {flaw}")]
    Malformed {
        line: usize,
        column: usize,
        flaw: Flaw,
    },
}

impl XmlError {
    pub fn in_vietnamese(&self) -> String {
        match self {
            Self::Empty => "tệp rỗng".to_owned(),
            Self::TooLarge { bytes } => {
                format!("tệp có {bytes} byte, chỉ đọc đến {FILE_BYTES_MAX} byte")
            }
            Self::Utf16 => "tệp ở dạng UTF-16; hóa đơn phải ở dạng UTF-8".to_owned(),
            Self::NotUtf8 { at } => {
                format!("tệp không ở dạng UTF-8, sai từ byte thứ {}", at + 1)
            }
            Self::NotXml => "tệp không phải XML: không bắt đầu bằng một thẻ".to_owned(),
            Self::Encoding(name) => {
                format!("tệp khai báo bảng mã {name}; hóa đơn phải ở dạng UTF-8")
            }
            Self::TooDeep => format!("các phần tử lồng nhau quá {DEPTH_MAX} tầng"),
            Self::TooManyAttributes => {
                format!("một phần tử có hơn {ATTRIBUTES_MAX} thuộc tính")
            }
            Self::TooManyNamespaces => {
                format!("có hơn {NAMESPACES_MAX} khai báo không gian tên lồng nhau")
            }
            Self::TooManyNodes => format!("tệp có hơn {NODES_MAX} phần tử và đoạn chữ"),
            Self::Doctype => "tệp có khai báo DTD, điều không có ở hóa đơn nào".to_owned(),
            Self::Malformed { line, column, flaw } => format!(
                "tệp không phải XML đúng dạng: dòng {line}, cột {column}: {}",
                flaw.in_vietnamese()
            ),
        }
    }
}

/// What is not as XML has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("a name was expected")]
    Name,
    #[error("a character that XML does not allow")]
    Character,
    #[error("the end of the file, but something is still open")]
    Unfinished,
    #[error("a tag is not written as tags are")]
    Tag,
    #[error("an end tag of another element than the one that is open")]
    EndTag,
    #[error("an attribute is not written as name=\"value\"")]
    Attribute,
    #[error("an attribute stands twice")]
    AttributeTwice,
    #[error("a \"<\" in the value of an attribute")]
    LessThan,
    #[error("a prefix that no namespace is bound to")]
    Prefix,
    #[error("a namespace declaration that is not allowed")]
    Namespace,
    #[error("a \"&\" that begins no entity of XML")]
    Entity,
    #[error("\"]]>\" inside a text")]
    SectionEnd,
    #[error("\"--\" inside a comment")]
    Comment,
    #[error("a processing instruction that is not allowed")]
    Instruction,
    #[error("an XML declaration that is not written as it must be")]
    Declaration,
    #[error("something outside the only root element")]
    Outside,
    #[error("no element")]
    NoElement,
}

impl Flaw {
    pub const fn in_vietnamese(self) -> &'static str {
        match self {
            Self::Name => "ở đây phải có một tên",
            Self::Character => "ký tự mà XML không cho phép",
            Self::Unfinished => "tệp kết thúc khi còn phần tử chưa đóng",
            Self::Tag => "thẻ viết sai dạng",
            Self::EndTag => "thẻ đóng không khớp với phần tử đang mở",
            Self::Attribute => "thuộc tính không viết theo dạng tên=\"giá trị\"",
            Self::AttributeTwice => "một thuộc tính có hai lần",
            Self::LessThan => "dấu \"<\" trong giá trị thuộc tính",
            Self::Prefix => "tiền tố không gắn với không gian tên nào",
            Self::Namespace => "khai báo không gian tên không được phép",
            Self::Entity => "dấu \"&\" không bắt đầu một thực thể của XML",
            Self::SectionEnd => "\"]]>\" nằm trong đoạn chữ",
            Self::Comment => "\"--\" nằm trong chú thích",
            Self::Instruction => "chỉ thị xử lý không được phép",
            Self::Declaration => "khai báo XML viết sai dạng",
            Self::Outside => "có nội dung ngoài phần tử gốc duy nhất",
            Self::NoElement => "không có phần tử nào",
        }
    }
}
