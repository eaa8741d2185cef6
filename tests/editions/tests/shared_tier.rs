//! A binary and the library of its package, which are crates of one name, share no entries.

use std::process::Command;

#[test]
fn a_binary_and_the_library_of_its_name_share_no_entries() {
    let directory = tempfile::tempdir().unwrap();
    let said = |whose: &str| {
        let binary = Command::new(env!("CARGO_BIN_EXE_cacheado-editions"))
            .args([directory.path().as_os_str(), whose.as_ref()])
            .output()
            .unwrap();
        String::from_utf8(binary.stdout).unwrap()
    };
    for _ in 0..2 {
        assert_eq!(said("library"), "1 of the library\n");
        assert_eq!(said("binary"), "1 of the binary\n");
    }
}
