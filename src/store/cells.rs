//! Turns a row (a tuple, serialised) into cells, which each engine binds in its own way.

use serde::ser::{
    Error as _, Impossible, Serialize, SerializeTuple, SerializeTupleStruct, Serializer,
};

/// A value of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Integer(i64),
    Text(String),
}

/// A row is not a flat tuple of texts, whole numbers and options of them: a defect of the caller.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotARow(String);

impl serde::ser::Error for NotARow {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Appends the cells of one row.
pub(super) fn push_row(cells: &mut Vec<Cell>, row: &impl Serialize) -> Result<(), NotARow> {
    row.serialize(RowSink(cells))
}

struct RowSink<'a>(&'a mut Vec<Cell>);
struct CellSink<'a>(&'a mut Vec<Cell>);

/// Everything that is neither a row nor a cell.
macro_rules! refuse {
    ($($method:ident($($kind:ty),*) -> $answer:ty;)*) => {
        $(fn $method(self, $(_: $kind),*) -> Result<$answer, NotARow> {
            Err(NotARow::custom(concat!("rows hold no ", stringify!($method))))
        })*
    };
}

impl<'a> Serializer for RowSink<'a> {
    type Ok = ();
    type Error = NotARow;
    type SerializeSeq = Impossible<(), NotARow>;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Impossible<(), NotARow>;
    type SerializeMap = Impossible<(), NotARow>;
    type SerializeStruct = Impossible<(), NotARow>;
    type SerializeStructVariant = Impossible<(), NotARow>;

    fn serialize_tuple(self, _: usize) -> Result<Self, NotARow> {
        Ok(self)
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, NotARow> {
        Ok(self)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotARow> {
        value.serialize(self)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotARow> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), NotARow> {
        Err(NotARow::custom("a row is a tuple"))
    }
    refuse! {
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_bool(bool) -> (); serialize_i8(i8) -> (); serialize_i16(i16) -> ();
        serialize_i32(i32) -> (); serialize_i64(i64) -> (); serialize_u8(u8) -> ();
        serialize_u16(u16) -> (); serialize_u32(u32) -> (); serialize_u64(u64) -> ();
        serialize_f32(f32) -> (); serialize_f64(f64) -> (); serialize_char(char) -> ();
        serialize_str(&str) -> (); serialize_bytes(&[u8]) -> (); serialize_none() -> ();
        serialize_unit() -> (); serialize_unit_struct(&'static str) -> ();
        serialize_unit_variant(&'static str, u32, &'static str) -> ();
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }
}

impl SerializeTuple for RowSink<'_> {
    type Ok = ();
    type Error = NotARow;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotARow> {
        value.serialize(CellSink(self.0))
    }
    fn end(self) -> Result<(), NotARow> {
        Ok(())
    }
}

impl SerializeTupleStruct for RowSink<'_> {
    type Ok = ();
    type Error = NotARow;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotARow> {
        value.serialize(CellSink(self.0))
    }
    fn end(self) -> Result<(), NotARow> {
        Ok(())
    }
}

impl CellSink<'_> {
    fn integer<T: TryInto<i64>>(self, value: T) -> Result<(), NotARow> {
        let value = value
            .try_into()
            .map_err(|_| NotARow::custom("a number beyond 64 bits"))?;
        self.0.push(Cell::Integer(value));
        Ok(())
    }
}

impl Serializer for CellSink<'_> {
    type Ok = ();
    type Error = NotARow;
    type SerializeSeq = Impossible<(), NotARow>;
    type SerializeTuple = Impossible<(), NotARow>;
    type SerializeTupleStruct = Impossible<(), NotARow>;
    type SerializeTupleVariant = Impossible<(), NotARow>;
    type SerializeMap = Impossible<(), NotARow>;
    type SerializeStruct = Impossible<(), NotARow>;
    type SerializeStructVariant = Impossible<(), NotARow>;

    fn serialize_i8(self, value: i8) -> Result<(), NotARow> {
        self.integer(value)
    }
    fn serialize_i16(self, value: i16) -> Result<(), NotARow> {
        self.integer(value)
    }
    fn serialize_i32(self, value: i32) -> Result<(), NotARow> {
        self.integer(value)
    }
    fn serialize_i64(self, value: i64) -> Result<(), NotARow> {
        self.integer(value)
    }
    fn serialize_u8(self, value: u8) -> Result<(), NotARow> {
        self.integer(value)
    }
    fn serialize_u16(self, value: u16) -> Result<(), NotARow> {
        self.integer(value)
    }
    fn serialize_u32(self, value: u32) -> Result<(), NotARow> {
        self.integer(value)
    }
    fn serialize_u64(self, value: u64) -> Result<(), NotARow> {
        self.integer(value)
    }
    fn serialize_char(self, value: char) -> Result<(), NotARow> {
        self.0.push(Cell::Text(value.to_string()));
        Ok(())
    }
    fn serialize_str(self, value: &str) -> Result<(), NotARow> {
        self.0.push(Cell::Text(value.to_owned()));
        Ok(())
    }
    fn serialize_none(self) -> Result<(), NotARow> {
        self.0.push(Cell::Null);
        Ok(())
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotARow> {
        value.serialize(self)
    }
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), NotARow> {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotARow> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), NotARow> {
        Err(NotARow::custom("rows hold no newtype variants"))
    }
    refuse! {
        // Neither engine's portable subset has truth values or floating point.
        serialize_bool(bool) -> (); serialize_f32(f32) -> (); serialize_f64(f64) -> ();
        serialize_bytes(&[u8]) -> (); serialize_unit() -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }
}
