//! `rampart mcp`: between a client and its MCP server (Model Context Protocol, over standard input and
//! output: one JSON-RPC message a line). What the client asks for is judged by the same rules as the tools
//! of an agent (`hosts`), what the server answers is searched before a model sees it, and what tools
//! say of themselves is pinned. Everything else goes through byte for byte.
//!
//! The server itself runs under the library, as by `rampart run`.

pub mod asked;
pub mod message;
pub mod pins;
pub mod proxy;
pub mod server;
pub mod stream;
