//! YAML text to a tree that keeps every scalar as it was written, with its place.
//!
//! Typing comes later and per field: only the field knows whether `no`, `22:22` or `0440` is a word, a port or
//! a mode. Anchors and `<<` are resolved here, within limits that stop alias bombs.

use std::{collections::HashMap, sync::Arc};

use indexmap::{IndexMap, map::Entry as Slot};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag as RawTag};

use super::{
    diagnostic::Sink,
    origin::{At, Origin},
};

/// Deepest nesting. Compose itself needs nine.
const MAX_DEPTH: usize = 64;
const TOO_DEEP: &str = "nested too deeply: Compose itself needs nine levels";
/// Most nodes once aliases are expanded.
const MAX_NODES: usize = 100_000;
/// Most bytes of text once aliases are expanded.
const MAX_BYTES: usize = 32 << 20;

/// What a tag says about merging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// Nothing.
    None,
    /// `!reset`: remove what earlier files say.
    Reset,
    /// `!override`: replace what earlier files say.
    Override,
}

/// A value in the tree.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub at: At,
    pub tag: Tag,
    pub kind: Kind,
}

/// The mapping of a node.
pub(super) type Map = IndexMap<String, Member>;

/// A value of a mapping and where its key is.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub key_at: At,
    pub node: Node,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Null,
    Scalar {
        text: String,
        /// Written without quotes.
        plain: bool,
    },
    List(Vec<Node>),
    Map(Map),
}

impl Node {
    pub(super) fn new(at: At, kind: Kind) -> Self {
        Self { at, tag: Tag::None, kind }
    }

    pub(super) fn text(at: At, text: impl Into<String>) -> Self {
        Self::new(at, Kind::Scalar { text: text.into(), plain: false })
    }

    pub(super) fn map(&self) -> Option<&Map> {
        if let Kind::Map(map) = &self.kind { Some(map) } else { None }
    }

    pub(super) fn map_mut(&mut self) -> Option<&mut Map> {
        if let Kind::Map(map) = &mut self.kind { Some(map) } else { None }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.map()?.get(key).map(|member| &member.node)
    }

    pub(super) fn scalar(&self) -> Option<&str> {
        if let Kind::Scalar { text, .. } = &self.kind { Some(text) } else { None }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// Says what it is, for messages.
    pub(super) fn what(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Scalar { .. } => "a single value",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }

    /// The same content, wherever it was written.
    pub(super) fn same(&self, other: &Node) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Null, Kind::Null) => true,
            (Kind::Scalar { text: a, .. }, Kind::Scalar { text: b, .. }) => a == b,
            (Kind::List(a), Kind::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            (Kind::Map(a), Kind::Map(b)) => {
                a.len() == b.len() && a.iter().all(|(k, a)| b.get(k).is_some_and(|b| a.node.same(&b.node)))
            }
            _ => false,
        }
    }

    /// How many values it consists of.
    pub(super) fn size(&self) -> usize {
        self.weight().nodes
    }

    fn weight(&self) -> Weight {
        match &self.kind {
            Kind::Null => Weight { nodes: 1, bytes: 0, depth: 1 },
            Kind::Scalar { text, .. } => Weight { nodes: 1, bytes: text.len(), depth: 1 },
            Kind::List(items) => items.iter().map(Node::weight).fold(Weight::ONE, Weight::with),
            Kind::Map(map) => map.values().map(|m| m.node.weight()).fold(Weight::ONE, Weight::with),
        }
    }
}

#[derive(Clone, Copy)]
struct Weight {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

impl Weight {
    const ONE: Self = Self { nodes: 1, bytes: 0, depth: 1 };

    fn with(self, child: Self) -> Self {
        Self {
            nodes: self.nodes + child.nodes,
            bytes: self.bytes + child.bytes,
            depth: self.depth.max(child.depth + 1),
        }
    }
}

/// The documents of a text, or `None` when it is not YAML. Problems go to `sink`.
pub(super) fn parse(text: &str, file: &Arc<Origin>, sink: &Sink) -> Option<Vec<Node>> {
    let mut builder = Builder::new(file, sink);
    let mut parser = Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    while let Some(event) = parser.next_event() {
        let done = match event {
            Ok((event, span)) => builder.event(event, span.start),
            // The scanner has a limit of its own.
            Err(error) if error.info().contains("recursion") => Err((builder.at(*error.marker()), TOO_DEEP.into())),
            Err(error) => Err((builder.at(*error.marker()), format!("this is not valid YAML: {}", error.info()))),
        };
        if let Err((at, message)) = done {
            sink.error(&at, "", message);
            return None;
        }
    }
    Some(builder.documents)
}

type Problem = (At, String);

enum Frame {
    List { at: At, tag: Tag, anchor: usize, items: Vec<Node> },
    Map { at: At, tag: Tag, anchor: usize, map: Map, merges: Vec<Node>, key: Option<(String, bool, At)> },
}

struct Builder<'a> {
    file: &'a Arc<Origin>,
    sink: &'a Sink,
    frames: Vec<Frame>,
    anchors: HashMap<usize, (Node, Weight)>,
    nodes: usize,
    bytes: usize,
    documents: Vec<Node>,
}

impl<'a> Builder<'a> {
    fn new(file: &'a Arc<Origin>, sink: &'a Sink) -> Self {
        Self { file, sink, frames: Vec::new(), anchors: HashMap::new(), nodes: 0, bytes: 0, documents: Vec::new() }
    }

    fn at(&self, mark: Marker) -> At {
        At { file: Arc::clone(self.file), line: mark.line(), column: mark.col() + 1 }
    }

    fn event(&mut self, event: Event<'_>, mark: Marker) -> Result<(), Problem> {
        let at = self.at(mark);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let (tag, typed) = self.tag(tag.as_deref(), &at);
                let plain = style == ScalarStyle::Plain && typed != Some("str");
                let null = plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL") || typed == Some("null");
                let kind = if null { Kind::Null } else { Kind::Scalar { text: text.into_owned(), plain } };
                let node = Node { at, tag, kind };
                let weight = node.weight();
                self.count(&node.at, weight)?;
                self.complete(node, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                let (tag, _) = self.tag(tag.as_deref(), &at);
                self.count(&at, Weight::ONE)?;
                self.frames.push(Frame::List { at, tag, anchor, items: Vec::new() });
                Ok(())
            }
            Event::MappingStart(anchor, tag) => {
                let (tag, _) = self.tag(tag.as_deref(), &at);
                self.count(&at, Weight::ONE)?;
                self.frames.push(Frame::Map { at, tag, anchor, map: Map::new(), merges: Vec::new(), key: None });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => match self.frames.pop() {
                Some(Frame::List { at, tag, anchor, items }) => {
                    self.complete(Node { at, tag, kind: Kind::List(items) }, anchor)
                }
                Some(Frame::Map { at, tag, anchor, mut map, merges, .. }) => {
                    for merge in merges {
                        self.merge(&mut map, merge);
                    }
                    self.complete(Node { at, tag, kind: Kind::Map(map) }, anchor)
                }
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let Some((_, weight)) = self.anchors.get(&anchor) else {
                    return Err((at, "this alias is inside the value that its anchor names".into()));
                };
                self.count(&at, *weight)?;
                match self.anchors.get(&anchor) {
                    Some((node, _)) => self.complete(node.clone(), 0),
                    None => Ok(()),
                }
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
        }
    }

    fn count(&mut self, at: &At, weight: Weight) -> Result<(), Problem> {
        self.nodes += weight.nodes;
        self.bytes += weight.bytes;
        if self.nodes > MAX_NODES || self.bytes > MAX_BYTES {
            return Err((
                at.clone(),
                format!(
                    "the file grows to more than {MAX_NODES} values or {} MB once its aliases are expanded: use fewer aliases",
                    MAX_BYTES >> 20
                ),
            ));
        }
        if self.frames.len() + weight.depth > MAX_DEPTH {
            return Err((at.clone(), TOO_DEEP.into()));
        }
        Ok(())
    }

    /// What a tag means: for merging, and the name of a core type.
    fn tag(&self, tag: Option<&RawTag>, at: &At) -> (Tag, Option<&'static str>) {
        let Some(tag) = tag else { return (Tag::None, None) };
        if tag.is_yaml_core_schema() || tag.handle == "!!" {
            match tag.suffix.as_str() {
                "str" => return (Tag::None, Some("str")),
                "null" => return (Tag::None, Some("null")),
                "int" | "bool" | "float" | "map" | "seq" | "merge" | "timestamp" => return (Tag::None, None),
                _ => {}
            }
        } else if tag.suffix == "reset" {
            return (Tag::Reset, None);
        } else if tag.suffix == "override" {
            return (Tag::Override, None);
        } else if tag.suffix.is_empty() {
            return (Tag::None, Some("str"));
        }
        self.sink.error(at, "", format!("the tag `{tag}` is not known: Compose has `!reset` and `!override`"));
        (Tag::None, None)
    }

    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        if anchor > 0 {
            let weight = node.weight();
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        match self.frames.last_mut() {
            None => self.documents.push(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { map, merges, key, .. }) => match key.take() {
                None => {
                    let (text, plain) = match node.kind {
                        Kind::Scalar { text, plain } => (text, plain),
                        Kind::Null => (String::new(), true),
                        _ => return Err((node.at, "a key must be a single word, not a list or a mapping".into())),
                    };
                    *key = Some((text, plain, node.at));
                }
                Some((text, true, _)) if text == "<<" && merges.is_empty() => merges.push(node),
                Some((text, true, key_at)) if text == "<<" => {
                    let message = "`<<` is there twice: write one `<<: [*a, *b]`";
                    self.sink.error(&key_at, &self.path("<<"), message);
                }
                Some((text, _, key_at)) => match map.entry(text) {
                    Slot::Vacant(slot) => {
                        slot.insert(Member { key_at, node });
                    }
                    Slot::Occupied(slot) => {
                        let key = slot.key().clone();
                        let (line, column) = (slot.get().key_at.line, slot.get().key_at.column);
                        let message = format!(
                            "the key `{key}` is there twice, first at line {line} column {column}: keep one of them"
                        );
                        self.sink.error(&key_at, &self.path(&key), message);
                    }
                },
            },
        }
        Ok(())
    }

    /// The path of a key of the innermost mapping.
    fn path(&self, last: &str) -> String {
        let outer = self.frames.iter().filter_map(|frame| match frame {
            Frame::List { items, .. } => Some(format!("[{}]", items.len())),
            Frame::Map { key, .. } => key.as_ref().map(|(text, ..)| text.clone()),
        });
        super::load::join(&outer.chain([last.to_owned()]).collect::<Vec<_>>())
    }

    /// `<<`: what the mapping itself says wins, and of a list the earlier wins.
    fn merge(&self, map: &mut Map, from: Node) {
        match from.kind {
            Kind::Map(from) => {
                for (key, member) in from {
                    map.entry(key).or_insert(member);
                }
            }
            Kind::List(items) if items.iter().all(|item| matches!(item.kind, Kind::Map(_) | Kind::Null)) => {
                for item in items {
                    self.merge(map, item);
                }
            }
            Kind::Null => {}
            _ => self.sink.error(
                &from.at,
                "<<",
                format!("`<<` needs a mapping or a list of mappings, this is {}", from.what()),
            ),
        }
    }
}
