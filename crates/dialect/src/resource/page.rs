//! One page of a list, taken apart into items as they stand, so that several can be put together.

use crate::Dialect;
use crate::members;

/// An element of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// What it is, as it came.
    pub raw: &'a str,
}

/// One page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page<'a> {
    /// The member that holds the items; empty where the page has none.
    pub member: String,
    /// The items.
    pub items: Vec<Item<'a>>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// What a page says besides its items.
#[derive(Clone, Copy, Debug)]
pub struct Margin<'a> {
    /// The member that holds the items.
    pub member: &'a str,
    /// Where the next page begins, if there is one.
    pub next: Option<&'a str>,
}

impl<'a> Page<'a> {
    /// Takes a page apart; `None` if it is no object. The first list in it is the list. Where a page
    /// says only that there is more (`has_more`), the next one begins behind the id of its last item.
    pub fn read(body: &'a [u8]) -> Option<Self> {
        let text = str::from_utf8(body).ok()?;
        let mut page = Self::default();
        let mut list = None;
        let mut has_more = false;
        members::each(text, |member| match member.key.as_ref() {
            "nextPageToken" | "next_page_token" => {
                page.next = serde_json::from_str(member.value).ok();
            }
            "has_more" => has_more = member.value == "true",
            key if list.is_none() && member.value.starts_with('[') => {
                page.member = key.to_owned();
                list = Some(member.value);
            }
            _ => {}
        })
        .ok()?;
        if let Some(list) = list {
            let items: Vec<&serde_json::value::RawValue> = serde_json::from_str(list).ok()?;
            page.items = items.into_iter().map(|raw| Item { raw: raw.get() }).collect();
        }
        page.next = page.next.filter(|next| !next.is_empty());
        if let (true, None, Some(last)) = (has_more, &page.next, page.items.last()) {
            page.next = last.id().filter(|id| !id.is_empty());
        }
        Some(page)
    }

    /// Puts items into one page of a dialect, each as it came.
    pub fn write_in(dialect: Dialect, margin: Margin<'_>, items: &[&str]) -> String {
        if dialect == Dialect::Gemini {
            return Self::write(margin.member, items, margin.next);
        }
        let id = |raw: Option<&&str>| {
            let id = raw.and_then(|raw| Item { raw }.id());
            serde_json::Value::from(id).to_string()
        };
        let (first, last) = (id(items.first()), id(items.last()));
        let items = items.join(",");
        // Without an item there is nothing to go on behind.
        let has_more = margin.next.is_some() && last != "null";
        format!(
            r#"{{"object":"list","data":[{items}],"first_id":{first},"last_id":{last},"has_more":{has_more}}}"#
        )
    }

    /// Puts items into one page, each as it came.
    pub fn write(member: &str, items: &[&str], next: Option<&str>) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut page = String::from("{");
        if !items.is_empty() {
            page = ["{", &quoted(member), ":[", &items.join(","), "]"].concat();
        }
        if let Some(next) = next {
            let comma = if items.is_empty() { "" } else { "," };
            page = [&page, comma, "\"nextPageToken\":", &quoted(next)].concat();
        }
        page.push('}');
        page
    }
}

impl Item<'_> {
    /// The id of the item, as it stands.
    pub fn id(&self) -> Option<String> {
        let mut id = None;
        members::each(self.raw, |member| {
            if member.key == "id" {
                id = serde_json::from_str(member.value).ok();
            }
        })
        .ok()?;
        id
    }

    /// The full name of the item, or its id behind the kind; `None` if it has neither.
    pub fn name(&self, kind: &str) -> Option<String> {
        let (mut name, mut id) = (None, None);
        members::each(self.raw, |member| match member.key.as_ref() {
            "name" => name = serde_json::from_str::<String>(member.value).ok(),
            "id" => id = serde_json::from_str::<String>(member.value).ok(),
            _ => {}
        })
        .ok()?;
        let named = name.as_deref().and_then(super::root);
        named.or_else(|| super::root(&[kind, "/", id.as_deref()?].concat()))
    }
}
