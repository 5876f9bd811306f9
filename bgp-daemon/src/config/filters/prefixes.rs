//! The `prefixes` of terms and of prefix lists.

use bgp_rib::filter::PrefixRange;

use super::super::diagnostic::{Code, Report};
use super::super::nearest::nearest;
use super::super::section::Node;
use super::super::values;
use super::{Named, Names};

const EXAMPLE: &str = "a prefix, as in \"10.0.0.0/8 ge 16 le 24\"";

impl Names {
    /// The `prefixes` of a term: ranges, and names of prefix lists.
    pub(super) fn prefixes(&mut self, node: &Node<'_>, report: &mut Report<'_>) -> Option<Vec<PrefixRange>> {
        let array = values::array(node, report, "a list of prefixes and names of prefix lists")?;
        let mut ranges = Vec::new();
        for node in array {
            match node.get_ref().as_str() {
                Some(name) if !name.contains('/') => {
                    ranges.extend_from_slice(named(&mut self.lists, name, node, report));
                }
                _ => ranges.extend(range(node, report)),
            }
        }
        Some(ranges)
    }
}

fn named<'l>(
    lists: &'l mut [Named<Vec<PrefixRange>>],
    name: &str,
    node: &Node<'_>,
    report: &mut Report<'_>,
) -> &'l [PrefixRange] {
    let near = nearest(name, lists.iter().map(|list| list.name.as_str())).map(str::to_owned);
    if let Some(list) = lists.iter_mut().find(|list| list.name == name) {
        list.used = true;
        return &list.value;
    }
    let remedy = match near {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => format!("{EXAMPLE}, or the `name` of one of [[prefix-lists]]"),
    };
    report.error(Code::UnknownName, node.span(), format!("no prefix list is called `{name}`"), remedy);
    &[]
}

/// The `prefixes` of a prefix list.
pub(super) fn ranges(node: &Node<'_>, report: &mut Report<'_>) -> Option<Vec<PrefixRange>> {
    let array = values::array(node, report, "a list of prefixes")?;
    Some(array.iter().filter_map(|node| range(node, report)).collect())
}

/// One prefix, alone or with `ge` and `le`.
fn range(node: &Node<'_>, report: &mut Report<'_>) -> Option<PrefixRange> {
    values::explained(node, report, EXAMPLE)
}
