//! Flags, environment, help: what a postmaster types and reads.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::error::ErrorKind;
use maillog_exporter::{
    cli::{self, Cli, Command, Hosts, LogFormat, LogLevel, Networks, PrivacyUsers, ReportFormat},
    showq,
};

fn parse(arguments: &str) -> Result<Cli, clap::Error> {
    cli::parse_from(std::iter::once("maillog_exporter").chain(arguments.split_whitespace()))
}

fn serve(arguments: &str) -> cli::Serve {
    match parse(&format!("serve {arguments}")).unwrap().command {
        Command::Serve(serve) => serve,
        other => panic!("{other:?}"),
    }
}

fn error(arguments: &str) -> String {
    let error = parse(arguments).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    error.to_string().lines().next().unwrap().to_owned()
}

fn help(command: &str) -> String {
    let mut root = cli::command().term_width(80);
    root.build();
    let command = match command {
        "" => &mut root,
        name => root.find_subcommand_mut(name).unwrap(),
    };
    command.render_long_help().to_string()
}

#[test]
fn help_of_the_program() {
    insta::assert_snapshot!(help(""));
}

#[test]
fn help_of_serve() {
    insta::assert_snapshot!(help("serve"));
}

#[test]
fn help_of_demo() {
    insta::assert_snapshot!(help("demo"));
}

#[test]
fn help_of_report() {
    insta::assert_snapshot!(help("report"));
}

#[test]
fn help_of_metrics() {
    insta::assert_snapshot!(help("metrics"));
}

#[test]
fn short_help_of_serve() {
    let mut root = cli::command().term_width(80);
    root.build();
    let help = root.find_subcommand_mut("serve").unwrap().render_help();
    insta::assert_snapshot!(help);
}

#[test]
fn help_fits_80_columns() {
    for command in ["", "serve", "demo", "report", "metrics"] {
        for line in help(command).lines() {
            assert!(line.chars().count() <= 80, "{command}: {line}");
        }
    }
}

#[test]
fn every_flag_has_its_name_in_the_environment() {
    let mut root = cli::command();
    root.build();
    let mut names = Vec::new();
    for command in std::iter::once(&root).chain(root.get_subcommands()) {
        for arg in command.get_arguments() {
            let Some(long) = arg
                .get_long()
                .filter(|long| !["help", "version"].contains(long))
            else {
                continue;
            };
            let env = arg.get_env().unwrap_or_else(|| panic!("--{long} has none"));
            names.push(format!("--{long} {}", env.display()));
        }
    }
    names.sort();
    names.dedup();
    insta::assert_snapshot!(names.join("\n"));
}

#[test]
fn the_environment_counts_and_a_flag_wins() {
    let run = |env: &[(&str, &str)], arguments: &[&str]| {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "cli::prints_listen_address",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env("TEST_ARGUMENTS", arguments.join(" "))
            .envs(env.iter().copied())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let address = ("MAILLOG_EXPORTER_WEB_LISTEN_ADDRESS", ":1234");
    assert!(run(&[address], &[]).contains("listens on [::]:1234"));
    assert!(
        run(&[address], &["--web.listen-address=127.0.0.1:5"]).contains("listens on 127.0.0.1:5")
    );
    let networks = (
        "MAILLOG_EXPORTER_TRUSTED_NETWORKS",
        "192.0.2.1,2001:db8::/32",
    );
    assert!(run(&[networks], &[]).contains("trusts [192.0.2.1/32, 2001:db8::/32]"));
    let wrong = ("MAILLOG_EXPORTER_WEB_BIRTH_HOLD", "soon");
    assert!(run(&[wrong], &[]).contains("'soon' for '--web.birth-hold"));
}

/// The other process of the test above: the environment of this one belongs to all its threads.
#[test]
#[ignore = "run by the_environment_counts_and_a_flag_wins"]
fn prints_listen_address() {
    let arguments = std::env::var("TEST_ARGUMENTS").unwrap_or_default();
    match parse(&format!("serve {arguments}")).map(|cli| cli.command) {
        Ok(Command::Serve(serve)) => {
            let trusted = Networks::all(&serve.understand.tell.trusted_networks);
            println!(
                "listens on {}, trusts {trusted:?}",
                serve.web.listen_address
            );
        }
        Ok(other) => panic!("{other:?}"),
        Err(error) => println!("{error}"),
    }
}

#[test]
fn defaults_are_right_for_one_ordinary_host() {
    let flags = serve("");
    assert!(flags.sources.source.is_empty());
    assert_eq!(
        flags.web.listen_address,
        SocketAddr::from(([127, 0, 0, 1], 10925))
    );
    assert_eq!(flags.web.telemetry_path, "/metrics");
    assert_eq!(flags.web.birth_hold, Duration::from_secs(65));
    assert!(!flags.web.created);
    let tell = &flags.understand.tell;
    assert_eq!(Networks::all(&tell.trusted_networks).len(), 2);
    assert_eq!(Networks::all(&tell.filter_networks).len(), 2);
    let (relays, names) = Hosts::all(&tell.inbound_relays);
    assert_eq!((relays.len(), names.len()), (4, 0));
    assert!(tell.internal_hosts.is_empty() && tell.bcc_address.is_empty());
    let labels = &flags.understand.labels;
    let limits = [
        labels.users_max,
        labels.relays_max,
        labels.domains_max,
        labels.programs_max,
    ];
    assert_eq!(limits, [5000, 500, 500, 200]);
    assert_eq!(flags.understand.privacy.users, PrivacyUsers::Full);
    assert_eq!(
        flags.queue.showq_paths(),
        [PathBuf::from(showq::PATH_DEFAULT)]
    );
}

#[test]
fn lists_are_by_comma_and_repeated() {
    let flags = serve(
        "--trusted-networks=192.0.2.0/24,loopback --trusted-networks 2001:db8::1 \
         --internal-hosts=mx2.example,10.0.0.2 --source=file:/a --source file:/b,file:/c \
         --postfix.showq-path=/p/1 --postfix.showq-path=/p/2 --bcc-address=archive@example.org",
    );
    let tell = &flags.understand.tell;
    let trusted = Networks::all(&tell.trusted_networks)
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>();
    assert_eq!(
        trusted,
        ["192.0.2.0/24", "127.0.0.0/8", "::1/128", "2001:db8::1/128"]
    );
    let (networks, names) = Hosts::all(&tell.internal_hosts);
    assert_eq!(
        (networks[0].to_string().as_str(), names),
        ("10.0.0.2/32", vec!["mx2.example".into()])
    );
    assert_eq!(flags.sources.source, ["file:/a", "file:/b", "file:/c"]);
    assert_eq!(
        flags.queue.showq_paths(),
        [PathBuf::from("/p/1"), PathBuf::from("/p/2")]
    );
    assert!(
        serve("--postfix.showq-path=none")
            .queue
            .showq_paths()
            .is_empty()
    );
}

#[test]
fn commands_share_the_flags_that_shape_understanding() {
    let flags =
        "--trusted-networks=none --limit.users=7 --privacy.users=full --source.timezone=UTC";
    assert!(parse(&format!("serve {flags}")).is_ok());
    assert!(
        parse(&format!(
            "demo {flags} --speed 5 --seed 9 --days 0 --log /x --web.listen-address=:0"
        ))
        .is_ok()
    );
    let report = parse(&format!(
        "report {flags} --format=json --since=1h --max-per-user=5 --top 3 a.gz -"
    ));
    let Command::Report(report) = report.unwrap().command else {
        panic!()
    };
    assert_eq!(report.files, [PathBuf::from("a.gz"), PathBuf::from("-")]);
    assert_eq!(report.format, ReportFormat::Json);
    assert_eq!(report.since, Some(Duration::from_secs(3600)));
    assert_eq!((report.max_per_user, report.top), (Some(5), 3));
}

#[test]
fn a_report_tells_all_accounts_apart_unless_told_otherwise() {
    let limits = |arguments: &str| match parse(arguments).unwrap().command {
        Command::Report(report) => {
            let labels = report.understand.labels;
            [labels.users_max, labels.relays_max, labels.domains_max]
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(limits("report x"), [1_000_000; 3]);
    assert_eq!(
        limits("report --limit.users=7 x"),
        [7, 1_000_000, 1_000_000]
    );
}

#[test]
fn the_logs_flags_stand_before_or_after_the_command() {
    for arguments in [
        "--log.level=debug --log.format=json serve",
        "serve --log.level=debug --log.format=json",
    ] {
        let log = parse(arguments).unwrap().log;
        assert_eq!((log.level, log.format), (LogLevel::Debug, LogFormat::Json));
    }
}

#[test]
fn errors_name_the_flag_the_piece_and_what_was_expected() {
    let errors = [
        error("serve --trusted-networks=192.0.2.0/24,10.0.0.300"),
        error("serve --filter-networks=192.0.2.7/24"),
        error("serve --internal-hosts=mx1.example,a_b@c"),
        error("serve --web.listen-address=10925"),
        error("serve --web.telemetry-path=/-/ready"),
        error("serve --web.birth-hold=65"),
        error("serve --source.timezone=Rome"),
        error("serve --limit.users=0"),
        error("serve --privacy.users=some"),
        error("serve --privacy.users=hash"),
        error("serve --users.default-domain=a@b"),
        error("serve --bcc-address="),
        error("report --since=1h30m x"),
        error("demo --hijack-after=soon"),
        error("metrics --format=html"),
        error("server"),
        error("serve --web.listenaddress=:1"),
        error("report"),
        error("report --max-per-user=5 --privacy.users=off x"),
        error("report --max-per-user=5 --privacy.users=domain x"),
    ];
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn version_and_help_are_no_errors() {
    for (arguments, kind) in [
        ("--version", ErrorKind::DisplayVersion),
        ("--help", ErrorKind::DisplayHelp),
        ("serve -h", ErrorKind::DisplayHelp),
    ] {
        let shown = parse(arguments).unwrap_err();
        assert_eq!((shown.kind(), shown.exit_code()), (kind, 0));
    }
    assert_eq!(parse("").unwrap_err().exit_code(), 2);
}
