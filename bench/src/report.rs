//! The table that is printed.

/// Rows of the table.
#[derive(Default)]
pub struct Report {
    rows: Vec<[String; 5]>,
}

impl Report {
    /// A figure, the bare figure of the same run, and the ratio that the budget allows.
    pub fn ratio(&mut self, what: &str, figure: f64, bare: f64, unit: &str, budget: Option<f64>) {
        let ratio = figure / bare;
        let verdict = match budget {
            Some(budget) if ratio <= budget => format!("≤ {budget:.2}: met"),
            Some(budget) => format!("≤ {budget:.2}: OVER"),
            None => String::new(),
        };
        self.rows.push([
            what.to_owned(),
            format!("{figure:.1} {unit}"),
            format!("{bare:.1} {unit}"),
            format!("{ratio:.3}"),
            verdict,
        ]);
    }

    /// A figure with a budget of its own.
    pub fn absolute(&mut self, what: &str, figure: f64, unit: &str, budget: Option<f64>) {
        let verdict = match budget {
            Some(budget) if figure <= budget => format!("≤ {budget} {unit}: met"),
            Some(budget) => format!("≤ {budget} {unit}: OVER"),
            None => String::new(),
        };
        let figure = format!("{figure:.2} {unit}");
        self.rows.push([what.to_owned(), figure, String::new(), String::new(), verdict]);
    }

    /// A rate that should be at least `budget`.
    pub fn at_least(&mut self, what: &str, figure: f64, unit: &str, budget: f64) {
        let verdict = if figure >= budget { "met" } else { "BELOW" };
        let budget = format!("≥ {budget} {unit}: {verdict}");
        let figure = format!("{figure:.0} {unit}");
        self.rows.push([what.to_owned(), figure, String::new(), String::new(), budget]);
    }

    /// Prints the table.
    pub fn print(&self) {
        let head = ["what", "figure", "bare", "ratio", "budget"].map(String::from);
        let all: Vec<&[String; 5]> = std::iter::once(&head).chain(&self.rows).collect();
        let width = |column: usize| {
            all.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<usize> = (0..5).map(|column| width(column).unwrap_or(0)).collect();
        for row in all {
            let line: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
                .collect();
            println!("{}", line.join("  ").trim_end());
        }
    }
}

/// The value at `part` (0 to 1) of `samples`, which are sorted in place; 0 if there are none.
pub fn quantile(samples: &mut [f64], part: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let last = samples.len().saturating_sub(1);
    let at = (last as f64 * part).round() as usize;
    samples.get(at).copied().unwrap_or(0.0)
}
