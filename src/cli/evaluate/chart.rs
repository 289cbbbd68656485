//! Pictures of tables.

use std::fmt::Write as _;

/// A bar of a picture.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) value: f64,
    /// Half the length of the whisker.
    pub(super) standard_error: f64,
}

/// A horizontal bar chart as SVG.
pub(super) fn bar_chart(title: &str, bars: &[Bar]) -> String {
    const LABEL: f64 = 210.0;
    const LENGTH: f64 = 420.0;
    const STEP: f64 = 26.0;
    let highest = bars.iter().map(|bar| bar.value + bar.standard_error).fold(f64::MIN_POSITIVE, f64::max);
    let (width, height) = (LABEL + LENGTH + 90.0, bars.len() as f64 * STEP + 50.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" \
         fill=\"white\"/>\n<text x=\"{LABEL}\" y=\"22\" font-weight=\"bold\">{}</text>\n",
        escape(title)
    );
    for (place, bar) in bars.iter().enumerate() {
        let y = place as f64 * STEP + 36.0;
        let x = |value: f64| LABEL + value.max(0.0) / highest * LENGTH;
        let (middle, end) = (y + 9.0, x(bar.value));
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text><rect x=\"{LABEL}\" y=\"{y}\" width=\"{:.1}\" \
             height=\"18\" fill=\"#4878a8\"/><path d=\"M{:.1} {middle}H{:.1}\" stroke=\"black\"/><text x=\"{:.1}\" \
             y=\"{}\">{:.4}</text>",
            LABEL - 8.0,
            y + 14.0,
            escape(&bar.label),
            end - LABEL,
            x(bar.value - bar.standard_error),
            x(bar.value + bar.standard_error),
            x(bar.value + bar.standard_error) + 6.0,
            y + 14.0,
            bar.value
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stay_in_the_picture() {
        let bar = |label: &str, value| Bar { label: label.to_owned(), value, standard_error: 0.01 };
        let svg = bar_chart("a & b", &[bar("<one>", 0.5), bar("two", 0.25)]);
        assert!(svg.contains("a &amp; b") && svg.contains("&lt;one&gt;") && svg.ends_with("</svg>\n"));
    }
}
