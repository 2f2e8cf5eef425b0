//! The rows as they arrived, and the checks that make [`Rows`] of them. Both readers fill a draft,
//! so that the same checks apply whichever read the body.

use super::{DecodeError, IndexFault, Rows, Usage};

/// Room for the first row, whose length is not known before it is read.
const FIRST_ROW: usize = 1024;

/// An answer of the right shape whose contents nobody has looked at.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Draft {
    /// The rows so far, in order of arrival; a reader appends the next row here, then closes it.
    pub(super) values: Vec<f32>,
    pub(super) base64: bool,
    pub(super) model: Option<String>,
    pub(super) usage: Usage,
    rows: Vec<Row>,
    expected_rows: usize,
    most_values: usize,
}

#[derive(Debug, PartialEq)]
struct Row {
    index: Option<u64>,
    /// Where the row ends in `values`.
    end: usize,
    finite: bool,
}

impl Draft {
    /// A draft for a body of `length` bytes.
    pub(super) fn new(length: usize, expected_rows: usize) -> Self {
        // A number takes two bytes at least, itself and what parts it from the next; base64 takes
        // more than five. A row takes 16, `{"embedding":[]}`. So the body's length bounds what a
        // wrong row count, or a first row of odd length, can make us reserve.
        let most_values = length / 2;
        let most_rows = length / 16;
        Self {
            values: Vec::with_capacity(FIRST_ROW.min(most_values)),
            rows: Vec::with_capacity(expected_rows.min(most_rows)),
            expected_rows,
            most_values,
            ..Self::default()
        }
    }

    /// How many rows are closed.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Ends the row whose numbers were just appended.
    pub(super) fn close_row(&mut self, index: Option<u64>) {
        let start = self.rows.last().map_or(0, |row| row.end);
        let end = self.values.len();
        let finite = all_finite(&self.values[start..]);
        if self.rows.is_empty() {
            let others = end.saturating_mul(self.expected_rows.saturating_sub(1));
            self.values
                .reserve_exact(others.min(self.most_values.saturating_sub(end)));
        }
        self.rows.push(Row { index, end, finite });
    }

    /// Checks everything, and puts the rows in input order.
    pub(super) fn check(self, expected_rows: usize) -> Result<Rows, DecodeError> {
        let found = self.rows.len();
        if found != expected_rows {
            return Err(DecodeError::Count {
                expected: expected_rows,
                found,
            });
        }
        let order = self.order()?;
        let dimensions = self.dimensions(order.as_deref())?;
        let values = match order {
            None => self.values,
            Some(order) => {
                let mut sorted = vec![0.0; self.values.len()];
                for (row, &index) in self.values.chunks_exact(dimensions).zip(&order) {
                    sorted[index * dimensions..][..dimensions].copy_from_slice(row);
                }
                sorted
            }
        };
        Ok(Rows {
            values,
            rows: found,
            dimensions,
            base64: self.base64,
            model: self.model,
            usage: self.usage,
        })
    }

    /// The index of each row, or `None` if they arrived in input order. Rows without any index
    /// count as ordered.
    fn order(&self) -> Result<Option<Vec<usize>>, DecodeError> {
        if self.rows.iter().all(|row| row.index.is_none())
            || (0..)
                .zip(&self.rows)
                .all(|(index, row)| row.index == Some(index))
        {
            return Ok(None);
        }
        let mut seen = vec![false; self.rows.len()];
        let index_of = |(position, row): (usize, &Row)| {
            let fault = |fault| DecodeError::Index { position, fault };
            let stated = row.index.ok_or(fault(IndexFault::Missing))?;
            let index =
                usize::try_from(stated).map_err(|_| fault(IndexFault::OutOfRange(stated)))?;
            match seen.get_mut(index) {
                None => Err(fault(IndexFault::OutOfRange(stated))),
                Some(true) => Err(fault(IndexFault::Repeated(stated))),
                Some(unseen) => {
                    *unseen = true;
                    Ok(index)
                }
            }
        };
        self.rows
            .iter()
            .enumerate()
            .map(index_of)
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// The length that all rows share; each is neither empty nor has a number that is not finite.
    fn dimensions(&self, order: Option<&[usize]>) -> Result<usize, DecodeError> {
        let dimensions = self.rows.first().map_or(0, |row| row.end);
        let mut start = 0;
        for (position, row) in self.rows.iter().enumerate() {
            let found = row.end - start;
            start = row.end;
            let row_number = order.map_or(position, |order| order[position]);
            if found == 0 {
                return Err(DecodeError::Empty { row: row_number });
            }
            if found != dimensions {
                return Err(DecodeError::Dimensions {
                    row: row_number,
                    expected: dimensions,
                    found,
                });
            }
            if !row.finite {
                return Err(DecodeError::NonFinite { row: row_number });
            }
        }
        Ok(dimensions)
    }
}

/// The row was just written and is in the first-level cache; without an early exit the loop becomes
/// vector instructions.
fn all_finite(values: &[f32]) -> bool {
    const EXPONENT: u32 = 0xff << 23;
    // One more than an exponent of ones carries into the sign's place.
    let carry = |value: &f32| (value.to_bits() & EXPONENT) + (1 << 23);
    let carries = values.iter().fold(0, |all, value| all | carry(value));
    carries >> 31 == 0
}
