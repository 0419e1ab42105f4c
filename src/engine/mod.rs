//! Docker engines: one actor per host, one transport for every kind of connection. All of bollard stays here.
//!
//! [`open`] gives a [`Handle`] for one task on one host. An [`Observer`] keeps watching many: it tells what it sees
//! through a channel, and hands out a [`Reader`] (or, if it was started to act, a [`Handle`]) for each host, which
//! follows the connection as it comes and goes.
//!
//! What an engine says becomes [`crate::text::Text`] in `convert`, once.

mod adopt;
mod answers;
mod auth;
mod console;
mod convert;
mod create;
mod dial;
mod error;
mod events;
mod evidence;
mod exec;
mod files;
mod follow;
mod handle;
mod http;
mod image;
mod inside;
mod logs;
mod network;
mod observe;
mod open;
mod proxy;
mod pull;
mod reader;
mod recall;
mod resolve;
mod said;
mod session;
mod ssh;
mod stats;
mod status;
mod storage;
mod tls;
mod wire;

#[cfg(test)]
mod tests;

pub use adopt::Found;
pub use answers::{read_event, read_inspection, read_list};
pub use console::{Console, Control, Conversation, Piece, Talker};
pub use create::CreateRequest;
pub use dial::MemoryDial;
pub use error::{EngineError, ErrorKind};
pub use exec::{Ended, Talk};
pub use follow::Follower;
pub use handle::Handle;
pub use logs::LogOptions;
pub use network::{network_name, volume_name};
pub use observe::{Acting, Attending, ObserveOptions, Observer, Sampling, Watching};
pub use open::{open, open_console, open_memory, open_reader};
pub use proxy::{Answers, ProxyFound, ProxyQuestion, ProxyRequest, Questions, Worker};
pub use pull::PullProgress;
pub use reader::{NetworkInfo, Reader, VolumeInfo};
pub use resolve::ResolvedImage;
pub use session::{MAX_API, MIN_API};
pub use stats::Counters;
