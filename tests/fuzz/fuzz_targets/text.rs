//! Text that is made safe is safe, and stays as it is when it is made safe again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf::text::{MAX_TEXT_BYTES, Text};

fuzz_target!(|raw: &[u8]| {
    let raw = String::from_utf8_lossy(raw);
    let safe = Text::new(&raw);
    assert!(safe.as_str().len() <= MAX_TEXT_BYTES);
    for c in safe.as_str().chars() {
        // Controls (C0, DEL, C1), line and paragraph separators, bidirectional and invisible formats.
        let is_bad = c.is_control()
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
            || matches!(c, '\u{61c}' | '\u{ad}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
        assert!(!is_bad, "{c:?} of {raw:?}");
    }
    assert_eq!(Text::new(safe.as_str()), safe);
});
