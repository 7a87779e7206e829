//! Which columns of a table are shown and how wide, for a terminal of a given width.
//!
//! Wide texts give way first, down to [`NARROWEST`]; numbers are never cut, since a cut number is a wrong number. If
//! that is not enough the columns in the middle are left out, because keys stand in front and partition keys last.

/// Texts are not cut narrower than this.
const NARROWEST: usize = 20;

/// What a column would like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    /// Width of the widest value or of the header.
    pub(super) width: usize,
    /// Whether its values may be cut.
    pub(super) can_cut: bool,
}

/// What the columns get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fitted {
    /// Width of each column, shown or not.
    pub(super) widths: Vec<usize>,
    /// Columns shown before the gap.
    pub(super) head: usize,
    /// Columns shown after the gap; without a gap all stand before it.
    pub(super) tail: usize,
}

impl Fitted {
    /// Columns left out.
    pub(super) fn elided(&self) -> usize {
        self.widths.len() - self.head - self.tail
    }
}

/// Fits columns into a terminal; `None` is as wide as it needs.
pub(super) fn fit(wishes: &[Wish], terminal: Option<usize>) -> Fitted {
    let all = |widths: Vec<usize>| Fitted { head: widths.len(), tail: 0, widths };
    let wanted: Vec<usize> = wishes.iter().map(|wish| wish.width).collect();
    let Some(terminal) = terminal else { return all(wanted) };
    // A single column may wrap: plans and DDL are to be read and copied whole.
    if wishes.len() <= 1 || line_width(&wanted) <= terminal {
        return all(wanted);
    }
    let capped = |cap: usize| -> Vec<usize> {
        wishes.iter().map(|wish| if wish.can_cut { wish.width.min(cap) } else { wish.width }).collect()
    };
    let narrowest = capped(NARROWEST);
    if line_width(&narrowest) > terminal {
        return elide(narrowest, terminal);
    }
    // The widest cap that fits: the line grows with the cap, so it can be searched.
    let (mut fits, mut too_wide) = (NARROWEST, wanted.iter().copied().max().unwrap_or(NARROWEST));
    while too_wide - fits > 1 {
        let cap = usize::midpoint(fits, too_wide);
        if line_width(&capped(cap)) <= terminal { fits = cap } else { too_wide = cap }
    }
    all(capped(fits))
}

/// A line holds ` value | value | value `.
fn line_width(widths: &[usize]) -> usize {
    widths.iter().map(|width| width + 3).sum::<usize>().saturating_sub(1)
}

/// Takes columns from the front and the back in turn while they and the gap (` … |`) fit.
fn elide(widths: Vec<usize>, terminal: usize) -> Fitted {
    let mut room = terminal.saturating_sub(3);
    let (mut head, mut tail) = (0, 0);
    loop {
        let from_front = head <= tail;
        let next = if from_front { head } else { widths.len() - 1 - tail };
        let needed = widths[next] + 3;
        let first = head == 0;
        if head + tail + 1 >= widths.len() || (needed > room && !first) {
            return Fitted { widths, head, tail };
        }
        room = room.saturating_sub(needed);
        if from_front { head += 1 } else { tail += 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(width: usize) -> Wish {
        Wish { width, can_cut: true }
    }

    fn number(width: usize) -> Wish {
        Wish { width, can_cut: false }
    }

    #[test]
    fn the_widest_texts_give_way_first() {
        let cases = [
            (vec![number(10), text(30)], None, vec![10, 30]),
            (vec![number(10), text(30)], Some(80), vec![10, 30]),
            (vec![number(10), text(100)], Some(80), vec![10, 65]),
            (vec![text(30), text(100), text(100)], Some(120), vec![30, 41, 41]),
            (vec![text(500)], Some(80), vec![500]),
        ];
        for (wishes, terminal, widths) in cases {
            let fitted = fit(&wishes, terminal);
            assert_eq!((fitted.elided(), &fitted.widths), (0, &widths), "{wishes:?} {terminal:?}");
        }
    }

    #[test]
    fn columns_in_the_middle_are_left_out_when_cutting_is_not_enough() {
        let fitted = fit(&[number(10); 16], Some(80));
        assert_eq!((fitted.head, fitted.tail, fitted.elided()), (3, 2, 11));
        let fitted = fit(&[number(100); 3], Some(80));
        assert_eq!((fitted.head, fitted.tail), (1, 0), "one column is always shown");
    }
}
