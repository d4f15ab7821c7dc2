#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::mcp_messages::mcp(data));
