#!/bin/bash
# Inside the namespaces: mounts, addresses, DNS, accounts, and the configuration of
# rsyslog, Dovecot and two Postfix instances. Nothing outside is touched: /etc and
# /var are overlays on a tmpfs, /run and /dev are new.
# $1: the work directory. Prints errors only.
set -eu
W=$1
mount --make-rprivate /
mount -t proc proc /proc
mkdir -p "$W/ov"
mount -t tmpfs ov "$W/ov"
for d in etc var; do
  mkdir -p "$W/ov/$d.u" "$W/ov/$d.w"
  mount -t overlay "ov-$d" -o "lowerdir=/$d,upperdir=$W/ov/$d.u,workdir=$W/ov/$d.w" "/$d"
done
mount -t tmpfs tmpfs /run -o mode=755
mkdir -p /run/lock /run/dovecot "$W/ov/dev"
mount -t tmpfs dev "$W/ov/dev" -o mode=755
for d in null zero full random urandom tty; do cp -a "/dev/$d" "$W/ov/dev/$d"; done
mkdir "$W/ov/dev/shm" "$W/ov/dev/pts"
ln -s /proc/self/fd "$W/ov/dev/fd"
for i in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${i%%:*}" "$W/ov/dev/${i#*:}"; done
mount --move "$W/ov/dev" /dev
mount -t tmpfs tmpfs /dev/shm
hostname mx

ip link set lo up
for a in 127.0.0.2/8 127.0.0.53/8 10.0.0.5/32 192.0.2.25/32 192.0.2.26/32 \
  203.0.113.25/32 203.0.113.26/32 203.0.113.27/32 203.0.113.28/32 203.0.113.30/32 203.0.113.31/32 203.0.113.32/32 \
  203.0.113.33/32 203.0.113.34/32 203.0.113.98/32 203.0.113.99/32; do
  ip addr add "$a" dev lo
done
# Clients: ordinary, listed, trusted.
for i in $(seq 1 30) 70 71; do ip addr add "198.51.100.$i/32" dev lo; ip addr add "192.0.2.$((i + 100))/32" dev lo; done
ip addr add 192.0.2.166/32 dev lo
for a in 2001:db8::25 2001:db8:1::10 2001:db8:1::11 2001:db8:2::12 2001:db8:70::70; do ip addr add "$a/128" dev lo nodad; done

cat > /etc/hosts <<'X'
127.0.0.1 localhost
192.0.2.25 mx.example.test mx
::1 localhost
X
rm -f /etc/resolv.conf /etc/mailname
echo "nameserver 127.0.0.53" > /etc/resolv.conf
sed -i 's/^hosts:.*/hosts: files dns/' /etc/nsswitch.conf
cat > /etc/dnsmasq-test.conf <<'X'
port=53
listen-address=127.0.0.53
bind-interfaces
no-resolv
no-hosts
no-daemon
user=root
local=/#/
local-ttl=60
host-record=mx.example.test,192.0.2.25,2001:db8::25
host-record=out.example.test,192.0.2.26
mx-host=example.test,mx.example.test,10
mx-host=lmtp.example.test,mx.example.test,10
mx-host=pipe.example.test,mx.example.test,10
host-record=inner.corp.test,10.0.0.5
host-record=mx1.bigmail.test,203.0.113.25
mx-host=bigmail.test,mx1.bigmail.test,10
mx-host=bulk.test,mx1.bigmail.test,10
host-record=mx.othermail.test,203.0.113.26
mx-host=othermail.test,mx.othermail.test,10
host-record=mx1.twomx.test,203.0.113.27
host-record=mx2.twomx.test,203.0.113.28
mx-host=twomx.test,mx1.twomx.test,10
mx-host=twomx.test,mx2.twomx.test,20
host-record=mx.drop.test,203.0.113.30
mx-host=drop.test,mx.drop.test,10
host-record=mx.hangup.test,203.0.113.31
mx-host=hangup.test,mx.hangup.test,10
host-record=mx.hang.test,203.0.113.32
mx-host=hang.test,mx.hang.test,10
host-record=mx.listed.test,203.0.113.33
mx-host=listed.test,mx.listed.test,10
host-record=mx.softmail.test,203.0.113.34
mx-host=softmail.test,mx.softmail.test,10
host-record=mx.timeout.test,203.0.113.98
mx-host=timeout.test,mx.timeout.test,10
host-record=mx.refused.test,203.0.113.99
mx-host=refused.test,mx.refused.test,10
host-record=mx.unreachable.test,198.18.0.1
mx-host=unreachable.test,mx.unreachable.test,10
host-record=client.test,198.51.100.1
host-record=dyn10.isp.test,198.51.100.10
host-record=dyn11.isp.test,198.51.100.11
ptr-record=12.100.51.198.in-addr.arpa,does.not.resolve.test
address=/6.100.51.198.zen.spamhaus.org/127.0.0.2
txt-record=6.100.51.198.zen.spamhaus.org,"https://www.spamhaus.org/sbl/query/SBL123456"
X
for i in 1 2 3; do echo "host-record=client$i.test,198.51.100.$((20 + i))" >> /etc/dnsmasq-test.conf; done

mkdir -p /etc/mailtls /var/vmail/virtual /var/vmail/lmtp /var/vmail/sink "$W/logs"
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=mx.example.test -keyout /etc/mailtls/key.pem -out /etc/mailtls/cert.pem 2>/dev/null
getent passwd vmail >/dev/null || useradd -r -m -d /var/vmail -u 5000 -s /usr/sbin/nologin vmail
getent passwd lena >/dev/null || useradd -m -d /var/home-lena -s /bin/sh lena
chown -R vmail: /var/vmail

# One log in the three forms; rsyslog reads /dev/log itself. No rate limit, no repetition.
cat > /etc/rsyslog-test.conf <<X
global(workDirectory="/run" parser.permitSlashInProgramName="on" preserveFQDN="on")
module(load="imuxsock" SysSock.Use="on" SysSock.Name="/dev/log" SysSock.RateLimit.Interval="0")
mail.* action(type="omfile" file="$W/logs/traditional.log" template="RSYSLOG_TraditionalFileFormat" FileCreateMode="0644")
mail.* action(type="omfile" file="$W/logs/rfc3339.log" template="RSYSLOG_FileFormat" FileCreateMode="0644")
mail.* action(type="omfile" file="$W/logs/rfc5424.log" template="RSYSLOG_SyslogProtocol23Format" FileCreateMode="0644")
X

# Dovecot: SASL for Postfix, and LMTP.
"$W/bin/plan-files.py" "$W"
cat > /etc/dovecot/test.conf <<X
base_dir = /run/dovecot
protocols = lmtp
listen = 127.0.0.1
syslog_facility = mail
auth_verbose = yes
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5
auth_failure_delay = 0
auth_username_format =
mail_location = maildir:/var/vmail/lmtp/%d/%n
mail_uid = vmail
mail_gid = vmail
first_valid_uid = 100
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%Lu /etc/dovecot/test-users
}
userdb {
  driver = passwd-file
  args = username_format=%Lu /etc/dovecot/test-users
}
protocol lmtp {
  postmaster_address = postmaster@example.test
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
service lmtp {
  unix_listener /var/spool/postfix/private/dovecot-lmtp {
    mode = 0660
    user = postfix
    group = postfix
  }
}
X

# Postfix, the main instance.
C=/etc/postfix
mkdir -p /var/lib/postfix
cat > $C/main.cf <<'X'
compatibility_level = 3.6
queue_directory = /var/spool/postfix
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
data_directory = /var/lib/postfix
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.example.test
mydomain = example.test
myorigin = $myhostname
mydestination = $myhostname, localhost
mynetworks = 127.0.0.0/8 [::1]/128 198.51.100.64/28 [2001:db8:70::]/64
inet_interfaces = 127.0.0.1, ::1, 192.0.2.25, 2001:db8::25
inet_protocols = all
smtp_bind_address = 192.0.2.25
recipient_delimiter = +
alias_maps = hash:/etc/postfix/aliases-test
alias_database =
virtual_mailbox_domains = example.test, lmtp.example.test, pipe.example.test
virtual_mailbox_maps = texthash:/etc/postfix/vmailbox
virtual_mailbox_base = /var/vmail/virtual
virtual_uid_maps = static:5000
virtual_gid_maps = static:5000
virtual_alias_maps = texthash:/etc/postfix/valias
relay_domains = inner.test, verify.test
transport_maps = texthash:/etc/postfix/transport
always_bcc = archive@example.test
header_checks = regexp:/etc/postfix/header_checks
home_mailbox = Maildir/
message_size_limit = 200000
virtual_mailbox_limit = 0
mailbox_size_limit = 0
notify_classes =
# Nothing is tried again unless the driver says so: it must know the number of tries.
queue_run_delay = 1h
minimal_backoff_time = 1h
maximal_backoff_time = 2h
maximal_queue_lifetime = 50s
bounce_queue_lifetime = 50s
delay_warning_time = 25s
default_destination_concurrency_failed_cohort_limit = 0
smtp_connection_cache_on_demand = no
smtp_connection_cache_destinations = othermail.test
smtp_connect_timeout = 3s
smtp_helo_timeout = 4s
smtp_mail_timeout = 4s
smtp_rcpt_timeout = 4s
smtp_data_done_timeout = 6s
smtp_tls_security_level = none
smtpd_tls_security_level = may
smtpd_tls_cert_file = /etc/mailtls/cert.pem
smtpd_tls_key_file = /etc/mailtls/key.pem
smtpd_tls_loglevel = 1
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_auth_enable = no
smtpd_helo_required = yes
smtpd_timeout = 4s
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 5
smtpd_hard_error_limit = 6
smtpd_client_event_limit_exceptions = 0.0.0.0/0 [::]/0
smtpd_client_restrictions = permit_mynetworks, check_client_access texthash:/etc/postfix/client_access, reject_rbl_client zen.spamhaus.org
smtpd_helo_restrictions = permit_mynetworks, reject_invalid_helo_hostname, check_helo_access texthash:/etc/postfix/helo_access
smtpd_sender_restrictions = reject_non_fqdn_sender, check_sender_access texthash:/etc/postfix/sender_access, reject_unknown_sender_domain, reject_unlisted_sender
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access regexp:/etc/postfix/rcpt_access
address_verify_map =
address_verify_poll_count = 6
address_verify_poll_delay = 1s
anvil_status_update_time = 600s
sinkpipe_destination_recipient_limit = 1
deadsmtp_initial_destination_concurrency = 1
deadsmtp_destination_concurrency_failed_cohort_limit = 1
X
cat > $C/master.cf <<X
192.0.2.25:25 inet n - n - - smtpd
  -o content_filter=scan:[127.0.0.1]:10024
[2001:db8::25]:25 inet n - n - - smtpd
  -o content_filter=scan:[127.0.0.1]:10024
127.0.0.1:25 inet n - n - - smtpd
192.0.2.25:2525 inet n - n - - smtpd
192.0.2.25:2526 inet n - n - - smtpd
  -o syslog_name=postfix/submission -o smtpd_sasl_auth_enable=yes -o smtpd_client_restrictions= -o smtpd_helo_restrictions= -o smtpd_sender_restrictions= -o smtpd_recipient_restrictions= -o smtpd_relay_restrictions=permit_sasl_authenticated,reject -o smtpd_client_event_limit_exceptions= -o smtpd_client_auth_rate_limit=2 -o smtpd_client_message_rate_limit=2
192.0.2.25:587 inet n - n - - smtpd
  -o syslog_name=postfix/submission -o smtpd_sasl_auth_enable=yes -o smtpd_client_restrictions= -o smtpd_helo_restrictions= -o smtpd_sender_restrictions= -o smtpd_recipient_restrictions= -o smtpd_relay_restrictions=permit_sasl_authenticated,reject -o content_filter=scan:[127.0.0.1]:10026
[2001:db8::25]:587 inet n - n - - smtpd
  -o syslog_name=postfix/submission -o smtpd_sasl_auth_enable=yes -o smtpd_client_restrictions= -o smtpd_helo_restrictions= -o smtpd_sender_restrictions= -o smtpd_recipient_restrictions= -o smtpd_relay_restrictions=permit_sasl_authenticated,reject -o content_filter=scan:[127.0.0.1]:10026
192.0.2.25:465 inet n - n - - smtpd
  -o syslog_name=postfix/smtps -o smtpd_tls_wrappermode=yes -o smtpd_sasl_auth_enable=yes -o smtpd_client_restrictions= -o smtpd_helo_restrictions= -o smtpd_sender_restrictions= -o smtpd_recipient_restrictions= -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
[2001:db8::25]:465 inet n - n - - smtpd
  -o syslog_name=postfix/smtps -o smtpd_tls_wrappermode=yes -o smtpd_sasl_auth_enable=yes -o smtpd_client_restrictions= -o smtpd_helo_restrictions= -o smtpd_sender_restrictions= -o smtpd_recipient_restrictions= -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
127.0.0.1:10025 inet n - n - - smtpd
  -o content_filter= -o smtpd_client_restrictions= -o smtpd_helo_restrictions= -o smtpd_sender_restrictions= -o smtpd_relay_restrictions=permit_mynetworks,reject -o smtpd_recipient_restrictions= -o mynetworks=127.0.0.0/8 -o smtpd_authorized_xforward_hosts=127.0.0.0/8 -o receive_override_options=no_header_body_checks,no_unknown_recipient_checks,no_address_mappings -o smtpd_tls_security_level=none -o smtpd_timeout=60s
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 3600 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
  -o syslog_name=postfix/\$service_name
scan unix - - n - 4 smtp
  -o smtp_bind_address=127.0.0.1 -o smtp_send_xforward_command=yes -o smtp_data_done_timeout=60s
outsmtp unix - - n - - smtp
  -o smtp_bind_address=127.0.0.1
softsmtp unix - - n - - smtp
  -o soft_bounce=yes
deadsmtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
sinkpipe unix - n n - 4 pipe
  flags=DRhu user=vmail argv=/var/vmail/sink/pipe.py \${sender} \${recipient}
X
cat > $C/transport <<'X'
lmtp.example.test lmtp:unix:private/dovecot-lmtp
pipe.example.test sinkpipe:
inner.test relay:[inner.corp.test]:25
verify.test relay:[inner.corp.test]:25
bulk.test outsmtp:[127.0.0.2]:25
softmail.test softsmtp:
dead.test deadsmtp:[203.0.113.99]:25
err.test error:5.7.1 delivery to this domain is prohibited
retry.test retry:4.3.0 retry later please
disc.test discard:silently dropped by policy
X
cat > $C/header_checks <<'X'
/^Subject: hc-reject/ REJECT no such subjects here
/^Subject: hc-discard/ DISCARD dropped by header check
/^Subject: hc-hold/ HOLD held for review
/^Subject: hc-warn/ WARN a suspicious subject
X
cat > $C/client_access <<'X'
198.51.100.7 reject_unknown_client_hostname
192.0.2.166 REJECT client is on our own list
X
cat > $C/helo_access <<'X'
bad.helo.test REJECT you are not who you say
X
cat > $C/sender_access <<'X'
blockedsender.test REJECT sender domain is blocked
X
cat > $C/rcpt_access <<'X'
/^greylisted@example\.test$/ 450 4.2.0 Greylisted, see http://postgrey.schweikert.ch/help/example.test.html
/^forbidden@example\.test$/ 554 5.7.1 nobody writes here
/^discarded@example\.test$/ DISCARD swallowed by access table
/@verify\.test$/ reject_unverified_recipient
X
printf '#!/usr/bin/python3\n' > /var/vmail/sink/pipe.py
cat "$W/bin/pipe-sink.py" >> /var/vmail/sink/pipe.py
chmod 755 /var/vmail/sink/pipe.py
chown -R vmail: /var/vmail/sink
: > /var/vmail/sink/pipe.jsonl
chmod 777 /var/vmail/sink
chmod 666 /var/vmail/sink/pipe.jsonl
cat > $C/aliases-test <<'X'
fwd: ok.fwd@bigmail.test
fwdtwo: ok.fwd1@bigmail.test, alice@example.test
fwdbad: nosuch.fwd@bigmail.test
command: "|/var/vmail/sink/pipe.py local command@mx.example.test"
failing: "|/var/vmail/sink/pipe.py local failing@mx.example.test"
X
postalias hash:/etc/postfix/aliases-test
postfix -c $C check

# The second instance, with long queue ids: it sends what main hands over by loopback.
postmulti -e init >/dev/null
postmulti -I postfix-out -G out -e create >/dev/null 2>&1
O=/etc/postfix-out
cat > $O/main.cf <<'X'
compatibility_level = 3.6
queue_directory = /var/spool/postfix-out
data_directory = /var/lib/postfix-out
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
multi_instance_group = out
multi_instance_name = postfix-out
multi_instance_enable = yes
alias_maps =
alias_database =
myhostname = out.example.test
myorigin = $myhostname
mydestination =
mynetworks = 127.0.0.1/32
relay_domains =
inet_interfaces = 127.0.0.2
inet_protocols = ipv4
master_service_disable =
authorized_submit_users = root
enable_long_queue_ids = yes
syslog_name = postfix-out
smtp_bind_address = 192.0.2.26
transport_maps = texthash:/etc/postfix-out/transport
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = none
smtp_tls_security_level = none
notify_classes =
queue_run_delay = 1h
minimal_backoff_time = 1h
maximal_backoff_time = 2h
maximal_queue_lifetime = 1h
bounce_queue_lifetime = 1h
default_destination_concurrency_failed_cohort_limit = 0
smtp_connection_cache_on_demand = no
smtpd_client_event_limit_exceptions = 0.0.0.0/0
anvil_status_update_time = 600s
X
cat > $O/transport <<'X'
example.test localhop:[127.0.0.1]:10025
X
sed -e '/^[0-9[]/,/^pickup/{/^pickup/!d}' -e '/^sinkpipe/,$d' $C/master.cf > $O/master.cf
echo '127.0.0.2:25 inet n - n - - smtpd' >> $O/master.cf
printf 'localhop unix - - n - - smtp\n  -o smtp_bind_address=127.0.0.1\n' >> $O/master.cf
postmulti -i postfix-out -e enable >/dev/null
postfix -c $O check
