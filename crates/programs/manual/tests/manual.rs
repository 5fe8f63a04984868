//! Every program has its page and completions, and every option is in them.

use std::fs;

use eyelid_manual::{PROGRAMS, write};

#[test]
fn every_option_is_in_the_page_and_in_each_completion() {
    let directory = tempfile::tempdir().unwrap();
    let written = write(directory.path()).unwrap();
    assert_eq!(written.len(), PROGRAMS.len() * 4, "{written:?}");
    for program in PROGRAMS {
        let command = (program.command)();
        let name = command.get_name();
        let read = |path: String| fs::read_to_string(directory.path().join(path)).expect("a file");
        let page = read(format!("man/man1/{name}.1")).replace('\\', "");
        let completions = [
            read(format!("bash-completion/completions/{name}")),
            read(format!("zsh/vendor-completions/_{name}")),
            read(format!("fish/vendor_completions.d/{name}.fish")),
        ];
        let shown = command.get_arguments().filter(|a| !a.is_hide_set());
        for option in shown.map(|a| a.get_long()) {
            let option = option.expect("options have names");
            assert!(page.contains(&format!("--{option}")), "{option} in {page}");
            for completion in &completions {
                assert!(completion.contains(option), "{option} in {completion}");
            }
        }
    }
}

#[test]
fn each_program_that_is_packaged_has_a_page() {
    let packaged = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../packaging/programs");
    let packaged = fs::read_to_string(packaged).unwrap();
    let rows = packaged.lines().filter(|row| !row.starts_with('#'));
    let packaged: Vec<_> = rows
        .filter_map(|row| row.split_whitespace().next())
        .collect();
    let commands = PROGRAMS.iter().map(|program| (program.command)());
    let names: Vec<_> = commands
        .map(|command| command.get_name().to_owned())
        .collect();
    assert_eq!(names, packaged);
}

#[test]
fn shells_complete_the_words_that_an_option_takes() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path()).unwrap();
    for (file, words) in [
        (
            "bash-completion/completions/eyelid",
            "\"horizontal vertical\"",
        ),
        ("bash-completion/completions/eyelid", "\"0 90 180 270\""),
        ("zsh/vendor-completions/_eyelid", "((horizontal\\:\""),
        ("fish/vendor_completions.d/eyelid.fish", "\"horizontal\\t'"),
    ] {
        let text = fs::read_to_string(directory.path().join(file)).unwrap();
        assert!(text.contains(words), "{words} in {text}");
    }
}

#[test]
fn every_page_has_the_sections_that_clap_does_not_write() {
    for program in PROGRAMS {
        let mut page = Vec::new();
        program.render_page(&mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        for section in [
            "DESCRIPTION",
            "OPTIONS",
            "SIGNALS",
            "EXIT STATUS",
            "ENVIRONMENT",
            "FILES",
            "EXAMPLES",
            "SEE ALSO",
        ] {
            let heading = page.lines().any(|line| {
                line.strip_prefix(".SH ")
                    .is_some_and(|title| title.trim_matches('"') == section)
            });
            assert!(heading, "{section} in {page}");
        }
    }
}
