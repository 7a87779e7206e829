//! Recursive queries: what is known of the rows of all rounds, and rows of UNION that are equal but for blanks.

use super::Walker;
use super::collation::as_type;
use super::ends::Texts;
use crate::error::Error;
use crate::functions::{self, WITHOUT_BLANKS};
use datafusion::common::Column;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, RecursiveQuery};
use std::sync::Arc;

impl Walker {
    /// A recursive query. UNION leaves out rows that were there before, as they are stored between the rounds, so texts
    /// lose their blanks there.
    ///
    /// # Errors
    /// `Unsupported` for UNION over texts that ignore their case, which would be shown without it.
    pub(super) fn recursive(&mut self, query: RecursiveQuery) -> Result<(LogicalPlan, Vec<Texts>)> {
        let RecursiveQuery { name, static_term, recursive_term, is_distinct, schema } = query;
        let (mut first, known) = self.plan(Arc::unwrap_or_clone(static_term))?;
        // A later round's texts may end with blanks where the first one's do not, and be longer.
        let mut rows: Vec<Texts> = known.iter().map(|texts| Texts { blanks: true, most: None, ..*texts }).collect();
        let (mut next, mut later) = self.round(&name, &rows, &recursive_term)?;
        // The rows that a round reads are those of any round: what is so in one of them only is known of none, and a
        // collation that one of them brings is that of all. Each column can change so a few times at most.
        loop {
            let of_any = rows.iter().zip(&later).map(|(rows, later)| Texts {
                char: rows.char.filter(|_| rows.char == later.char),
                collation: rows.collation.with(later.collation),
                ..*rows
            });
            let of_any: Vec<Texts> = of_any.collect();
            if of_any == rows {
                break;
            }
            rows = of_any;
            (next, later) = self.round(&name, &rows, &recursive_term)?;
        }
        let mut texts: Vec<Texts> = known.into_iter().zip(later).map(|(first, later)| first.or(later)).collect();
        self.note_collations(&texts)?;
        if is_distinct {
            let mut strips = Vec::with_capacity(texts.len());
            for texts in &mut texts {
                let ignored = self.ignored(&[*texts])?;
                if ignored.case {
                    return Err(Error::unsupported("UNION of case-insensitive texts in a recursive query").into());
                }
                texts.blanks &= !ignored.blanks;
                strips.push(ignored.blanks);
            }
            first = self.stripped(first, &strips)?;
            next = self.stripped(next, &strips)?;
        }
        let (static_term, recursive_term) = (Arc::new(first), Arc::new(next));
        let query = RecursiveQuery { name, static_term, recursive_term, is_distinct, schema };
        Ok((LogicalPlan::RecursiveQuery(query), texts))
    }

    /// The query of later rounds over rows of which so much is known.
    fn round(&mut self, name: &str, rows: &[Texts], query: &LogicalPlan) -> Result<(LogicalPlan, Vec<Texts>)> {
        self.working.push((name.to_owned(), rows.to_vec()));
        let planned = self.plan(query.clone());
        self.working.pop();
        planned
    }

    /// A plan of which some columns have lost their blanks.
    fn stripped(&self, plan: LogicalPlan, strips: &[bool]) -> Result<LogicalPlan> {
        if !strips.contains(&true) {
            return Ok(plan);
        }
        let columns = strips.iter().enumerate().map(|(at, strips)| {
            let (relation, field) = plan.schema().qualified_field(at);
            let column = Expr::Column(Column::from((relation, field)));
            if !strips {
                return Ok(column);
            }
            let text = functions::call(self.dialect, WITHOUT_BLANKS, vec![column])?;
            Ok(as_type(text, field.data_type()).alias_qualified(relation.cloned(), field.name()))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        LogicalPlanBuilder::from(plan).project(columns)?.build()
    }
}
