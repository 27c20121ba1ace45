//! Tables for a terminal.

/// Lays rows out in columns, as wide as their widest cell but the last, which is cut where the line would be too long.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>], width: usize) -> String {
    let columns = head.len();
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let before_last: usize = widths.iter().take(columns.saturating_sub(1)).map(|w| w + 2).sum();
    let last = width.saturating_sub(before_last).max(20);
    let mut text = String::new();
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (index, cell) in row.iter().enumerate() {
            if index + 1 == columns {
                line += &cut(cell, last);
            } else {
                let gap = widths[index] + 2 - cell.chars().count();
                line += cell;
                line.extend(std::iter::repeat_n(' ', gap));
            }
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// The first line of a text, cut to a width.
pub(crate) fn cut(text: &str, width: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let mut cut: String = line.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_the_last_is_cut() {
        let rows = vec![
            vec!["ops".to_owned(), "delivered".to_owned(), "HTTP 200".to_owned()],
            vec!["räksmörgås".to_owned(), "dead".to_owned(), "a very long story that does not fit on the line at all".to_owned()],
        ];
        insta::assert_snapshot!(table(&["SINK", "STATE", "DETAIL"], &rows, 60), @r"
        SINK        STATE      DETAIL
        ops         delivered  HTTP 200
        räksmörgås  dead       a very long story that does not fit …
        ");
    }
}
