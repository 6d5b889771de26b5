#!/usr/bin/perl

# Configuration: every mistake is refused with the reason, the file and the
# line; what is right is taken; no message holds a secret; nothing is resolved
# or connected.

###############################################################################

use warnings;
use strict;

use Digest::SHA qw/ sha256 /;
use Test::More;

use WebhookTest;

###############################################################################

# In DATA: "== WHERE NAME", lines of configuration of which "# <<" marks the one
# that is to be named, "-- " and the message.  WHERE: http, server, webhook,
# defaults.  "-- ok": accepted, and nothing said; "-- [LEVEL] message": accepted
# with that message.  "%other%" is the number of the line marked "# other", or of
# the server; "..." at the end of a message is anything.

my $t = WebhookTest->new();

my $cert = $t->cert('client', dns => ['client']);
my $other = $t->cert('other', dns => ['other']);

$t->output(qw/ openssl ec -aes128 -passout pass:s3same -in /, $cert->{key}, '-out',
	$t->dir() . '/locked.key');

$t->file('secret', "s3same-s3same-s3same-s3same\n");
$t->file('empty', "\n");
$t->file('lines', "s3same\ns3same");
$t->file('url', "https://s3same:s3same\@h.example/s3same?s3same=s3same\n");
$t->file('bad_url', "https://s3same h.example/\n");
$t->file('junk.pem', "s3same\n");
$t->file('broken.pem', read_file($cert->{cert}) . "-----BEGIN CERTIFICATE-----\n"
	. "czNzYW1l\n-----END CERTIFICATE-----\n");
$t->file('big', 'x' x 70000);
$t->file('w.conf', "webhook w { url https://h.example/; timeout 3s; }\n");
$t->file('timeout.conf', "timeout 3s;\n");
$t->file('bad.conf', "timeout 3s;\ntimeout s3;\n");

$t->{env}{WEBHOOK_TEST_SET} = 's3same-s3same-s3same-s3same';
$t->{env}{WEBHOOK_TEST_EMPTY} = '';

my %wrap = (
	http => "%s",
	server => "server { # server\nlisten 127.0.0.1:%%PORT_0%%;\n%s\n}",
	webhook => "server { listen 127.0.0.1:%%PORT_0%%;\n"
		. "webhook w {\nurl https://h.example/;\n%s\n} }",
	defaults => "server { listen 127.0.0.1:%%PORT_0%%;\n"
		. "webhook_defaults {\n%s\n}\n"
		. "webhook w { url https://h.example/; } }",
);

my %files = (
	cert => $cert->{cert}, key => $cert->{key}, other_key => $other->{key},
);

my $main = "env WEBHOOK_TEST_SET;\nenv WEBHOOK_TEST_EMPTY;\n"
	. "env WEBHOOK_TEST_UNSET;\n"
	. "env WEBHOOK_TEST_HERE=s3same-s3same-s3same-s3same;";

my ($where, $name, $text);

while (my $line = <DATA>) {

	if ($line =~ /^== (\w+) (.+)/) {
		($where, $name, $text) = ($1, $2, '');

	} elsif ($line =~ /^-- (.+)/) {
		check($where, $name, $text, $1);

	} elsif (defined $text) {
		$text .= $line;
	}
}

sub check {
	my ($where, $name, $text, $expected) = @_;

	return if $text =~ /^listen \[/m && !read_file('/proc/net/if_inet6');

	$text =~ s/\n+\z//;
	$text =~ s/%(cert|key|other_key)%/$files{$1}/g;
	$expected =~ s/%(cert|key|other_key)%/$files{$1}/g;
	$expected =~ s/%%TESTDIR%%/$t->dir()/ge;

	$text = $wrap{$where} =~ s/%s/$text/r;

	my ($ok, $said) = $t->test_config($text, main => $main);

	my $file = $t->dir() . '/test.conf';

	my $nr = line_of($file, qr/# <</);
	my $other = line_of($file, qr/# other/) || line_of($file, qr/# server/);

	$expected =~ s/%other%/$other/;
	my $any = $expected =~ s/\.\.\.$// ? qr/.*/ : qr//;

	subtest "$where: $name" => sub {
		unlike($said, qr/s3same/, 'no secret');

		if ($expected eq 'ok') {
			ok($ok, 'accepted');
			unlike($said, qr/\[(?:warn|error|emerg|alert|crit)\]/,
				'nothing said');

		} elsif ($expected =~ s/^\[(\w+)\] //) {
			ok($ok, 'accepted');
			like($said, qr/\[$1\].*?\Q$expected\E$any\ in
				\ \Q$file\E:$nr\n/x, 'said');

		} else {
			ok(!$ok, 'refused');
			like($said, qr/\Q$expected\E$any in \Q$file\E:$nr\n/,
				'said');
		}

		diag($said) unless Test::More->builder->is_passing();
	};
}

sub line_of {
	my ($file, $mark) = @_;

	my @lines = split /\n/, read_file($file);
	my ($n) = grep { $lines[$_] =~ $mark } 0 .. $#lines;

	return defined $n ? $n + 1 : undef;
}

# two webhooks of one name, different in one setting

for my $setting ('url http://h.example/x', 'via @a', 'secret ' . 's3same' x 5,
	'signature none', 'content_type application/x-www-form-urlencoded',
	'events PING', 'match /a b', 'description x', 'member goal.id 5',
	'header X-A b', 'active off', 'timeout 3s', 'retry 5s', 'retry off',
	'expire 5s', 'queue 5', 'queue 10000 overflow=oldest', 'max_in_flight 5',
	'rate 5r/s', 'disable_after 0', 'proxy http://h.example',
	'ssl_verify off', "ssl_trusted_certificate $cert->{cert}",
	"ssl_certificate $cert->{cert} $cert->{key}", 'http2 on')
{
	my $url = $setting =~ /^url/ ? '' : 'url http://h.example/;';
	my ($what) = $setting =~ /^(\w+)/;

	check('server', "different in $setting",
		"webhook w { url http://h.example/; } # other\nlocation \@a { }\n"
		. "location / { webhook w { # <<\n$url $setting; } }\n",
		qq{webhook "w" differs in "$what" from the one of that name in }
		. $t->dir() . '/test.conf:%other%');
}

###############################################################################

# files that are included: the line is theirs

my ($ok, $said) = $t->test_config(
	'webhook w { url http://h.example/; include %%TESTDIR%%/bad.conf; }');

like($said, qr{"timeout" directive is duplicate in \S+/bad\.conf:2\n},
	'include in a webhook');

# nginx itself does not say where

($ok, $said) = $t->test_config(
	'webhook w { url http://h.example/; header X-Y $s3ame; }');

like($said, qr/unknown "s3ame" variable/, 'unknown variable');

# two names of one hash: the id is the first 31 bits of their SHA-256

my (%seen, @names);

for (my $i = 0; !@names; $i++) {
	my $id = unpack('N', sha256("w$i")) & 0x7fffffff;

	@names = ("w$seen{$id}", "w$i", $id) if defined $seen{$id};
	$seen{$id} = $i;
}

($ok, $said) = $t->test_config("server { listen 127.0.0.1:%%PORT_0%%;\n"
	. join('', map { "webhook $_ { url http://h.example/; }\n" }
		@names[0, 1]) . '}');

ok(!$ok, 'same hash');
like($said, qr/webhook\ "$names[1]"\ has\ the\ same\ id,\ $names[2],\ as
	\ "$names[0]"\ in\ \S+:\d+:\ rename\ one\ in\ \S+:\d+\n/x,
	'same hash - said');

# what a zone holds

($ok, $said) = $t->test_config('webhook_zone zone=z:8m;');

ok($ok, 'zone');
like($said, qr/\[notice\].*webhook zone "z" of 8192K holds about \d+ /,
	'zone - said');

($ok, $said) = $t->test_config('webhook w { url http://h.example/; }');
like($said, qr/webhook zone "webhooks" of 32768K holds/, 'zone - default');

($ok, $said) = $t->test_config('');
unlike($said, qr/webhook zone/, 'zone - none needed');

($ok, $said) = $t->test_config('webhook w { url http://h.example/; }'
	. 'webhook_connections 100000;');
like($said, qr/\[warn\].*webhook_connections 100000 is more than/,
	'more connections than there are');

# nothing is resolved or connected

my $r = $t->receiver('ci');
my $port = $r->port();

($ok, $said) = $t->test_config('webhook a { url http://h.invalid/; }'
	. "webhook b { url http://localhost:$port/; proxy http://h.invalid:1; }");

ok($ok, 'names are not resolved');
is($r->requests(), 0, 'no request');

SKIP: {
	skip 'no strace', 2 if system('strace -V >/dev/null 2>&1') != 0
		|| $ENV{WEBHOOK_VALGRIND} || $ENV{WEBHOOK_SANITIZE};

	my $calls = $t->dir() . '/strace';
	my @command = $t->command('-t', '-c', $t->dir() . '/test.conf');

	my ($status) = $t->output('strace', '-f', '-o', $calls, '-e',
		'trace=%network', @command);

	is($status, 0, 'traced');
	unlike(read_file($calls), qr/connect\((?!.*AF_UNIX)|send(?:to|msg)\(/,
		'no connection');
}

# nothing is left behind that a first start would trip over

$t->http_config(<<'CONF');

webhook_connections 8;

server {
    listen 127.0.0.1:%%PORT_0%%;

    location / {
        return 200 "events:$webhook_events";
    }
}

CONF

$t->run();

is($t->get('/')->body, 'events:0', 'runs without webhooks');

$t->done();

###############################################################################

__DATA__

== http name - empty
webhook "" { # <<
}
-- invalid webhook name "": 1 to 64 letters, digits, "_", "." and "-" are allowed

== http name - characters
webhook a/b { # <<
}
-- invalid webhook name "a/b": 1 to 64 letters, digits, "_", "." and "-" are allowed

== http name - too long
webhook a1234567890123456789012345678901234567890123456789012345678901234 { # <<
}
-- invalid webhook name "a1234567890123456789012345678901234567890123456789012345678901234": 1 to 64 letters, digits, "_", "." and "-" are allowed

== http name - one dot
webhook . { # <<
}
-- invalid webhook name ".": no path of the status endpoint can have it

== http name - two dots
webhook .. { # <<
}
-- invalid webhook name "..": no path of the status endpoint can have it

== http name - dots
webhook ... { url http://h.example; }
webhook .a { url http://h.example; }
-- ok

== http name - longest
webhook A.b_c-7890123456789012345678901234567890123456789012345678901234 {
    url http://h.example; }
-- ok

== http no name
webhook { # <<
}
-- invalid number of arguments in "webhook" directive

== http not a block
webhook w; # <<
-- directive "webhook" has no opening "{"

== http block in a webhook
webhook w { url http://h.example;
    header { # <<
} }
-- unexpected "{"

== server unknown directive
webhook w { url http://h.example;
    urls http://h.example; # <<
}
-- unknown directive "urls"

== server a secret that lost its directive
webhook w { url http://h.example; secret
    s3same-s3same-s3same-s3same;
    Whsec_s3same; # <<
}
-- unknown directive

== server webhook in upstream
} upstream u { webhook w { # <<
}
-- "webhook" directive is not allowed here

== server no url
webhook w { # <<
    timeout 1s;
}
-- no "url" is defined for webhook "w"

== webhook duplicate url
url https://h.example/; # <<
-- "url" directive is duplicate

== server url - number of arguments
webhook w { url; # <<
}
-- invalid number of arguments in "url" directive

== server url - relative
webhook w { url /s3same; # <<
}
-- "url" directive must begin with "http://" or "https://"

== server url - scheme
webhook w { url ftp://s3same/; # <<
}
-- "url" directive must begin with "http://" or "https://"

== server url - no host
webhook w { url http://; # <<
}
-- "url" directive has no host

== server url - no host, a port
webhook w { url http://:80/s3same; # <<
}
-- "url" directive has no host

== server url - port
webhook w { url http://s3same:66000/; # <<
}
-- "url" directive has an invalid port

== server url - port 0
webhook w { url http://s3same:0/; # <<
}
-- "url" directive has an invalid port

== server url - unix socket
webhook w { url http://unix:/s3same/x.sock; # <<
}
-- "url" directive cannot have a unix socket, which "via" can deliver to

== server url - port, not a number
webhook w { url http://s3same:80s/; # <<
}
-- "url" directive has an invalid port

== server url - space
webhook w { url "http://s3same/a b"; # <<
}
-- "url" directive has a space or control character

== server url - not ASCII
webhook w { url "http://s3same/ä"; # <<
}
-- "url" directive has a character that is not ASCII: percent-encode it, or write the host in its "xn--" form

== server url - fragment
webhook w { url "http://s3same/#a"; # <<
}
-- "url" directive has a fragment, which is never sent

== server url - bad IPv6
webhook w { url http://[s3same]/; # <<
}
-- "url" directive is not a valid URL

== server url - variables
webhook w { url http://$host/; # <<
}
-- "url" directive cannot have variables; a "$" is written "%24"

== server url - variables in the path
webhook w { url http://h.example/${s3same}; # <<
}
-- "url" directive cannot have variables; a "$" is written "%24"

== server url - missing file
webhook w { url file:%%TESTDIR%%/none; # <<
}
-- open() "%%TESTDIR%%/none" failed (2: No such file or directory)

== server url - bad in a file
webhook w { url file:%%TESTDIR%%/bad_url; # <<
}
-- "url" directive has a space or control character

== server url - good ones
webhook a { url http://h.example; }
webhook b { url HTTPS://u:s3same@h.example:8443/a/b?c=d&e; }
webhook c { url http://[::1]:8080/; }
webhook d { url file:%%TESTDIR%%/url; }
webhook e { url http://127.0.0.1?s3same=$1; }
-- ok

== webhook via - not a name
via name; # <<
-- "via" directive must name a location: "@NAME"

== server via - no such location
webhook w { # <<
url https://h.example/; via @none; }
location / { }
location @other { }
-- no location "@none" for webhook "w" in the server of %%TESTDIR%%/test.conf:%other%

== http via - one server lacks it
webhook w { url https://h.example/; via @a; } # <<
server { listen 127.0.0.1:%%PORT_0%%; location @a { } }
server { listen 127.0.0.1:%%PORT_0%%; server_name b; } # other
-- no location "@a" for webhook "w" in the server of %%TESTDIR%%/test.conf:%other%

== http via - no server
webhook w { url https://h.example/; via @a; } # <<
-- no server has the location "@a" of webhook "w"

== http via - second server of one webhook lacks it
server { listen 127.0.0.1:%%PORT_0%%; location @a { }
webhook w { url https://h.example/; via @a; } }
server { # other
listen 127.0.0.1:%%PORT_0%%; server_name b;
webhook w { url https://h.example/; via @a; } # <<
}
-- no location "@a" for webhook "w" in the server of %%TESTDIR%%/test.conf:%other%

== http via - good ones
webhook w { url https://h.example/; via @a; }
server { listen 127.0.0.1:%%PORT_0%%; location @a { }
webhook x { url https://h.example/; via @a; } }
server { listen 127.0.0.1:%%PORT_0%%; server_name b; location @a { }
location / { webhook x { url https://h.example/; via @a; } } }
-- ok

== server via - settings without effect
webhook w { # <<
url https://h.example/; via @a; http2 on; }
location @a { }
-- [warn] proxy, TLS and HTTP/2 settings of webhook "w" have no effect beside "via"

== webhook secret - empty
secret ""; # <<
-- "secret" directive has an empty secret

== webhook secret - none but a date
secret until=2030-01-01; # <<
-- "secret" directive has no secret

== webhook secret - missing file
secret file:%%TESTDIR%%/none; # <<
-- open() "%%TESTDIR%%/none" failed (2: No such file or directory)

== webhook secret - no file
secret file:; # <<
-- no file in "file:"

== webhook secret - directory
secret file:%%TESTDIR%%; # <<
-- "%%TESTDIR%%" is not a file

== webhook secret - empty file
secret file:%%TESTDIR%%/empty; # <<
-- "%%TESTDIR%%/empty" is empty

== webhook secret - large file
secret file:%%TESTDIR%%/big; # <<
-- "%%TESTDIR%%/big" is larger than 65536 bytes

== webhook secret - env not declared
secret env:WEBHOOK_TEST_OTHER; # <<
-- "env:WEBHOOK_TEST_OTHER" requires "env WEBHOOK_TEST_OTHER;" before "http"

== webhook secret - env without a name
secret env:; # <<
-- "env:" requires "env ;" before "http"

== webhook secret - env not set
secret env:WEBHOOK_TEST_UNSET; # <<
-- environment variable "WEBHOOK_TEST_UNSET" is not set or empty

== webhook secret - env empty
secret env:WEBHOOK_TEST_EMPTY; # <<
-- environment variable "WEBHOOK_TEST_EMPTY" is not set or empty

== webhook secret - not base64
secret whsec_s3same!s3same!s3same!s3same!s3same; # <<
-- invalid secret...

== webhook secret - short base64
secret whsec_s3sames3same; # <<
-- invalid secret...

== webhook secret - bad Ed25519 key
secret whsk_s3sames3same; # <<
-- invalid secret...

== webhook secret - until, not a date
secret s3same-s3same-s3same-s3same until=tomorrow; # <<
-- "secret" directive has an invalid "until=": a date (2027-01-31) or a date and time (2027-01-31T18:00:00Z) is needed

== webhook secret - until, no such day
secret s3same-s3same-s3same-s3same until=2027-02-29; # <<
-- "secret" directive has an invalid "until=": a date (2027-01-31) or a date and time (2027-01-31T18:00:00Z) is needed

== webhook secret - until, no zone
secret s3same-s3same-s3same-s3same until=2027-02-28T10:00:00; # <<
-- "secret" directive has an invalid "until=": a date (2027-01-31) or a date and time (2027-01-31T18:00:00Z) is needed

== webhook secret - until, bad hour
secret s3same-s3same-s3same-s3same until=2027-02-28T24:00:00Z; # <<
-- "secret" directive has an invalid "until=": a date (2027-01-31) or a date and time (2027-01-31T18:00:00Z) is needed

== webhook secret - until, cut short
secret s3same-s3same-s3same-s3same until=2027-02; # <<
-- "secret" directive has an invalid "until=": a date (2027-01-31) or a date and time (2027-01-31T18:00:00Z) is needed

== webhook secret - until in the middle
secret until=2030-01-01 s3same-s3same-s3same-s3same; # <<
-- "secret" directive takes "until=" once, at its end

== webhook secret - short
secret s3same; # <<
-- [warn] the secret has 6 bytes only, at least 24 are recommended

== webhook secret - a variable
secret $webhook_secret_of_production; # <<
-- [warn] the secret looks like a variable, but is used as it is written

== webhook secret - dollars
secret $webhook-secret-of-production 0123456789$webhook_secret;
-- ok

== server secret - all have until
webhook w { # <<
    url http://h.example/;
    secret s3same-s3same-s3same-s3same until=2030-01-01;
    secret s3same-s3same-s3same-s3same2 until=2030-01-01;
}
-- [warn] all secrets of webhook "w" have an "until="; the last one left goes on signing after it

== webhook secret - good ones
secret s3same-s3same-s3same-s3same file:%%TESTDIR%%/secret until=2028-02-29;
secret env:WEBHOOK_TEST_SET env:WEBHOOK_TEST_HERE
       until=2027-02-28T10:00:00.5+02:00;
secret s3same-s3same-s3same-s3same until=2027-02-28t10:00:00z;
secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw;
-- ok

== webhook signature - unknown
signature hmac; # <<
-- invalid value "hmac", it must be none, or some of standard, virtuoso, virtuoso=sha256, github, stripe

== webhook signature - none and another
signature none github; # <<
-- "signature" directive cannot have "none" beside other schemes

== webhook signature - one header twice
signature virtuoso virtuoso=sha256; # <<
-- "signature" directive cannot have both "virtuoso" and "virtuoso=sha256": they are one header

== webhook signature - duplicate
signature github;
signature stripe; # <<
-- "signature" directive is duplicate

== webhook signature - good ones
signature standard virtuoso=sha256 github stripe;
-- ok

== webhook content type
content_type text/plain; # <<
-- invalid value "text/plain", it must be application/json or application/x-www-form-urlencoded

== webhook events - unknown
events FINISHED ENDED; # <<
-- invalid value "ENDED", it must be all, or some of PING, EXECUTION, LAUNCHED, STARTED, UPDATED, FINISHED

== webhook description - not quoted
description what it is for; # <<
-- invalid number of arguments in "description" directive: a value with spaces must be quoted

== webhook header - not quoted
header Authorization Bearer s3same; # <<
-- invalid number of arguments in "header" directive: a value with spaces must be quoted

== webhook events - none
events; # <<
-- invalid number of arguments in "events" directive

== webhook match - not a pointer
match project/id 5; # <<
-- invalid JSON Pointer "project/id"...

== webhook match - bad escape
match /project~2 5; # <<
-- invalid JSON Pointer "/project~2"...

== webhook match - no value
match /project/id; # <<
-- invalid number of arguments in "match" directive

== webhook match - bad regex
match /project/id ~(; # <<
-- pcre2_compile() failed: missing closing parenthesis in "("

== webhook match - empty regex
match /project/id ~; # <<
-- empty regex in "~", no space stands behind it

== webhook match - good ones
match /project/id 4889 !5 ~^x !~y * !*;
match "" "";
-- ok

== webhook match - commas
match /execution/status done, failed; # <<
-- [warn] "done," is compared with its comma, spaces alone separate values

== webhook match - a sign
match /execution/status != CANCELED; # <<
-- [warn] "!=" is what is not "=", "!" stands right before a value

== webhook match - alternatives
match /execution/status "done|failed"; # <<
-- [warn] "done|failed" is compared with its "|", spaces separate values, and "~regex" has alternatives

== webhook member - unknown
member projects.id 5; # <<
-- member "projects.id" must begin with one of "execution", "goal", "sender", "project", "snapshot", "organization"

== webhook member - no part
member project 5; # <<
-- member "project" must name a part of that, as "project.id" does

== webhook member - empty segment
member project..id 5; # <<
-- member "project..id" has an empty segment

== webhook member - ends in a dot
member project. 5; # <<
-- member "project." has an empty segment

== webhook member - twice
member project.id 5;
member project.id 6; # <<
-- member "project.id" is duplicate

== webhook member - value and object
member project.id 5;
member project.id.x 6; # <<
-- member "project.id.x" cannot be both a value and an object

== webhook member - too big
member project.id 99999999999999999999; # <<
-- "member" directive has a number that is too big

== webhook member - deep
member project.a.a.a.a.a.a.a.a x; # <<
-- member "project.a.a.a.a.a.a.a.a" has too many segments

== webhook member - good ones
member project.id 4889;
member project.idx 4889;
member project.name "The \"project\"";
member sender.email null;
member organization.rate -1.5e3;
member goal.x [99999999999999999999];
-- ok

== webhook member - a variable
member project.id 4889;
member project.name x-$host; # <<
-- [warn] "x-$host" of member "project.name" is sent as it is written: it takes no variables

== webhook member - dollars
member project.name "5 $ 5$ $5";
-- ok

== webhook header - name
header "X Y" z; # <<
-- "header" directive has an invalid name; no ":" stands behind it

== webhook header - no name
header "" z; # <<
-- "header" directive has an invalid name; no ":" stands behind it

== webhook header - twice
header X-Y z;
header x-y z; # <<
-- header "x-y" is duplicate

== webhook header - control character
header X-Y "s3same
s3same"; # <<
-- value of header "X-Y" has a control character

== webhook header - control character in a file
header X-Y file:%%TESTDIR%%/lines; # <<
-- value of header "X-Y" has a control character

== webhook header - missing file
header X-Y file:%%TESTDIR%%/none; # <<
-- open() "%%TESTDIR%%/none" failed (2: No such file or directory)

== webhook header - reserved Host
header host s3same; # <<
-- header "host" is reserved

== webhook header - reserved Content-Length
header Content-Length 5; # <<
-- header "Content-Length" is reserved

== webhook header - reserved Content-Type
header Content-Type text/plain; # <<
-- header "Content-Type" is reserved

== webhook header - reserved Transfer-Encoding
header Transfer-Encoding chunked; # <<
-- header "Transfer-Encoding" is reserved

== webhook header - reserved Connection
header Connection close; # <<
-- header "Connection" is reserved

== webhook header - reserved Expect
header Expect 100-continue; # <<
-- header "Expect" is reserved

== webhook header - reserved User-Agent
header User-Agent x; # <<
-- header "User-Agent" is reserved

== webhook header - reserved Upgrade
header Upgrade x; # <<
-- header "Upgrade" is reserved

== webhook header - reserved TE
header TE x; # <<
-- header "TE" is reserved

== webhook header - reserved Trailer
header Trailer x; # <<
-- header "Trailer" is reserved

== webhook header - reserved Keep-Alive
header Keep-Alive x; # <<
-- header "Keep-Alive" is reserved

== webhook header - reserved Proxy-*
header Proxy-Authorization s3same; # <<
-- header "Proxy-Authorization" is reserved

== webhook header - reserved webhook-id
header Webhook-Id x; # <<
-- header "Webhook-Id" is reserved

== webhook header - reserved webhook-timestamp
header webhook-timestamp x; # <<
-- header "webhook-timestamp" is reserved

== webhook header - reserved webhook-signature
header webhook-signature x; # <<
-- header "webhook-signature" is reserved

== webhook header - reserved X-Webhook-*
header X-Webhook-Anything x; # <<
-- header "X-Webhook-Anything" is reserved

== webhook header - reserved X-Virtuoso-Signature
header X-Virtuoso-Signature x; # <<
-- header "X-Virtuoso-Signature" is reserved

== webhook header - reserved X-Hub-Signature*
header X-Hub-Signature-256 x; # <<
-- header "X-Hub-Signature-256" is reserved

== webhook header - reserved X-GitHub-Event
header X-GitHub-Event x; # <<
-- header "X-GitHub-Event" is reserved

== webhook header - reserved X-GitHub-Delivery
header X-GitHub-Delivery x; # <<
-- header "X-GitHub-Delivery" is reserved

== webhook header - reserved Stripe-Signature
header Stripe-Signature x; # <<
-- header "Stripe-Signature" is reserved

== webhook header - good ones
header X-Webhook x;
header TEA x;
header Authorization "Bearer s3same";
header X-User $remote_user;
header X-File file:%%TESTDIR%%/secret;
header X-Env env:WEBHOOK_TEST_SET;
header X-Empty "";
-- ok

== webhook active
active yes; # <<
-- invalid value "yes" in "active" directive, it must be "on" or "off"

== webhook timeout - not a time
timeout soon; # <<
-- "timeout" directive must be a time, as "15s"

== webhook timeout - zero
timeout 0; # <<
-- "timeout" directive must be greater than zero

== webhook timeout - duplicate
timeout 1s;
timeout 1s; # <<
-- "timeout" directive is duplicate

== webhook retry - not a time
retry 5s 5x; # <<
-- invalid time "5x": times as "5s" or "30m", or "off" alone, are expected

== webhook retry - zero
retry 0s; # <<
-- invalid time "0s": times as "5s" or "30m", or "off" alone, are expected

== webhook retry - off and a time
retry 5s off; # <<
-- invalid time "off": times as "5s" or "30m", or "off" alone, are expected

== webhook retry - too many
retry 1 2 3 4 5 6 7 8 9 10 1 2 3 4 5 6 7 8 9 20 1 2 3 4 5 6 7 8 9 30 31; # <<
-- "retry" directive takes at most 30 times

== webhook retry - as many as can be
retry 1 2 3 4 5 6 7 8 9 10 1 2 3 4 5 6 7 8 9 20 1 2 3 4 5 6 7 8 9 30d;
-- ok

== webhook expire
expire never; # <<
-- invalid time "never": one as "30m" or "2h", or "off", is expected

== webhook queue - not a number
queue many; # <<
-- invalid number of deliveries "many": from 1 to 10000000 can wait

== webhook queue - zero
queue 0; # <<
-- invalid number of deliveries "0": from 1 to 10000000 can wait

== webhook queue - parameter
queue 5 overflow=all; # <<
-- invalid parameter "overflow=all": "overflow=newest" or "overflow=oldest" is expected

== webhook queue - larger than the zone
queue 10000000; # <<
-- [warn] queue 10000000 of webhook "w" is more than the zone holds...

== webhook max_in_flight - not a number
max_in_flight some; # <<
-- "max_in_flight" directive invalid number

== webhook max_in_flight - zero
max_in_flight 0; # <<
-- value must be between 1 and 10000

== webhook rate - no unit
rate 5; # <<
-- invalid rate "5": one as "100r/s" or "30r/m", or "off", is expected

== webhook rate - unit
rate 5r/h; # <<
-- invalid rate "5r/h": one as "100r/s" or "30r/m", or "off", is expected

== webhook rate - zero
rate 0r/s; # <<
-- invalid rate "0r/s": one as "100r/s" or "30r/m", or "off", is expected

== webhook disable_after
disable_after never; # <<
-- "disable_after" directive must be a time, as "5d", or "0" for never

== webhook proxy - scheme
proxy h.example:3128; # <<
-- "proxy" directive must begin with "http://", "https://", "socks4://", "socks4a://", "socks5://" or "socks5h://"

== webhook proxy - path
proxy http://u:s3same@h.example:3128/s3same; # <<
-- "proxy" directive cannot have a path or a query

== webhook proxy - bad
proxy http://[s3same/; # <<
-- "proxy" directive is not a valid URL

== webhook proxy - good
proxy socks5h://u:s3same@h.example:1080;
-- ok

== webhook ssl_trusted_certificate - missing
ssl_trusted_certificate %%TESTDIR%%/none.pem; # <<
-- open() "%%TESTDIR%%/none.pem" failed (2: No such file or directory)

== webhook ssl_trusted_certificate - not PEM
ssl_trusted_certificate %%TESTDIR%%/junk.pem; # <<
-- no PEM certificate in "%%TESTDIR%%/junk.pem"

== webhook ssl_trusted_certificate - the second one broken
ssl_trusted_certificate %%TESTDIR%%/broken.pem; # <<
-- a PEM certificate in "%%TESTDIR%%/broken.pem" is broken

== webhook ssl_certificate - missing
ssl_certificate %%TESTDIR%%/none.pem; # <<
-- open() "%%TESTDIR%%/none.pem" failed (2: No such file or directory)

== webhook ssl_certificate - no key
ssl_certificate %cert%; # <<
-- no PEM private key without a password in "%cert%"

== webhook ssl_certificate - another's key
ssl_certificate %cert% %other_key%; # <<
-- key "%other_key%" does not belong to certificate "%cert%"

== webhook ssl_certificate - key is no key
ssl_certificate %cert% %%TESTDIR%%/junk.pem; # <<
-- no PEM private key without a password in "%%TESTDIR%%/junk.pem"

== webhook ssl_certificate - key with a password
ssl_certificate %cert% %%TESTDIR%%/locked.key; # <<
-- no PEM private key without a password in "%%TESTDIR%%/locked.key"

== webhook ssl_trusted_certificate - nothing but a key with a password
ssl_trusted_certificate %%TESTDIR%%/locked.key; # <<
-- no PEM certificate in "%%TESTDIR%%/locked.key"

== server url - three slashes
webhook w { url http:///s3same; # <<
}
-- "url" directive has no host

== webhook TLS - good
ssl_certificate %cert% %key%;
ssl_trusted_certificate %cert%;
ssl_verify off;
http2 on;
-- ok

== defaults url
url http://h.example/; # <<
-- "url" directive is not allowed in "webhook_defaults"

== defaults via
via @a; # <<
-- "via" directive is not allowed in "webhook_defaults"

== defaults description
description x; # <<
-- "description" directive is not allowed in "webhook_defaults"

== defaults duplicate setting
timeout 3s;
timeout 3s; # <<
-- "timeout" directive is duplicate

== server defaults twice
webhook_defaults { }
webhook_defaults { # <<
}
-- "webhook_defaults" directive is duplicate

== server defaults with a name
webhook_defaults x { # <<
}
-- invalid number of arguments in "webhook_defaults" directive

== server inherit
webhook_inherit maybe; # <<
-- invalid value "maybe" in "webhook_inherit" directive, it must be "on" or "off"

== server two of one name, different
webhook w { url http://h.example/; } # other
location / {
    webhook w { url http://h.example/other; } # <<
}
-- webhook "w" differs in "url" from the one of that name in %%TESTDIR%%/test.conf:%other%

== server two of one name, different by defaults
webhook w { url http://h.example/; } # other
location / {
    webhook_defaults { timeout 3s; }
    webhook w { url http://h.example/; } # <<
}
-- webhook "w" differs in "timeout" from the one of that name in %%TESTDIR%%/test.conf:%other%

== server two of one name, alike
webhook w { url http://h.example/; timeout 3s;
            secret s3same-s3same-s3same-s3same; }
location / {
    webhook_defaults { timeout 3s; }
    webhook w { secret file:%%TESTDIR%%/secret; url http://h.example/; }
}
-- ok

== server two of one name, alike until one moment
webhook w { url http://h.example/;
            secret s3same-s3same-s3same-s3same until=2027-02-28T10:00:00.5+02:00;
            secret s3same-s3same-s3same-s3same; }
location / {
    webhook w { url http://h.example/;
                secret s3same-s3same-s3same-s3same until=2027-02-28T08:00:00z;
                secret s3same-s3same-s3same-s3same; }
}
-- ok

== server included twice
location /a { include %%TESTDIR%%/w.conf; }
location /b { include %%TESTDIR%%/w.conf; }
location /c { webhook_inherit off; include %%TESTDIR%%/w.conf; }
-- ok

== server include in a webhook
webhook w { url https://h.example/; include %%TESTDIR%%/timeout.conf; }
location /b { include %%TESTDIR%%/w.conf; }
-- ok

== server all defaults, spelled out
webhook w { url http://h.example/; }
location / {
    webhook w {
        url http://h.example/; signature standard virtuoso;
        content_type application/json; events all; description ""; active on;
        timeout 15s; retry 5s 5m 30m 2h 5h 10h 14h 20h 24h; expire off;
        queue 10000 overflow=newest; max_in_flight 16; rate off;
        disable_after 5d; proxy off; ssl_verify on; http2 off;
    }
}
-- ok

== server defaults reach inside, whatever the order
location / {
    webhook w { url http://h.example/; }
    location /a {
        webhook_defaults { retry off; }
        webhook x { url http://h.example/; }
    }
}
webhook_defaults {
    timeout 7s; secret s3same-s3same-s3same-s3same; header X-A b;
    member project.id 5; match /project/id 5; rate 60r/m; queue 7;
    events FINISHED; signature github; content_type
    application/x-www-form-urlencoded; active off; retry 1s; expire 1m;
    max_in_flight 3; disable_after 1d; proxy http://h.example;
    ssl_verify off; http2 on; ssl_certificate %cert% %key%;
    ssl_trusted_certificate %cert%;
}
location /b {
    webhook_inherit off;
    webhook_defaults {
        timeout 1s; secret s3same-s3same-s3same-s3same2; header X-B b;
        member project.id 6; match /project/id 6; rate 61r/m; queue 8;
        events PING; signature none; content_type application/json;
        active on; retry 2s; expire 2m; max_in_flight 4;
        disable_after 2d; proxy off; ssl_verify on; http2 off;
    }
    webhook w {
        url http://h.example/;
        timeout 7s; secret s3same-s3same-s3same-s3same; header X-A b;
        member project.id 5; match /project/id 5; rate 1r/s; queue 7;
        events FINISHED; signature github; content_type
        application/x-www-form-urlencoded; active off; retry 1s; expire 1m;
        max_in_flight 3; disable_after 1d; proxy http://h.example;
        ssl_verify off; http2 on; ssl_certificate %cert% %key%;
        ssl_trusted_certificate %cert%;
    }
    location /b/c {
        webhook_defaults {
            timeout 7s; secret s3same-s3same-s3same-s3same; header X-A b;
            member project.id 5; match /project/id 5; rate 1r/s; queue 7;
            events FINISHED; signature github; content_type
            application/x-www-form-urlencoded; active off; expire 1m;
            max_in_flight 3; disable_after 1d; proxy http://h.example;
            ssl_verify off; http2 on; ssl_certificate %cert% %key%;
        }
        webhook x { url http://h.example/; retry off; }
    }
}
-- ok

== http zone - no zone
webhook_zone log=5; # <<
-- "webhook_zone" directive must have "zone=NAME:SIZE"

== http zone - too small
webhook_zone zone=z:64k; # <<
-- zone "z" is too small: at least 1024K are needed

== http zone - size
webhook_zone zone=z:many; # <<
-- invalid parameter "zone=z:many": "zone=NAME:SIZE", "log=NUMBER" (at most 100000) or "body=SIZE" (at most 1024k) is expected

== http zone - no size
webhook_zone zone=z; # <<
-- invalid parameter "zone=z": "zone=NAME:SIZE", "log=NUMBER" (at most 100000) or "body=SIZE" (at most 1024k) is expected

== http zone - no name
webhook_zone zone=:8m; # <<
-- invalid parameter "zone=:8m": "zone=NAME:SIZE", "log=NUMBER" (at most 100000) or "body=SIZE" (at most 1024k) is expected

== http zone - parameter
webhook_zone zone=z:8m logs=5; # <<
-- invalid parameter "logs=5": "zone=NAME:SIZE", "log=NUMBER" (at most 100000) or "body=SIZE" (at most 1024k) is expected

== http zone - log
webhook_zone zone=z:8m log=x; # <<
-- invalid parameter "log=x": "zone=NAME:SIZE", "log=NUMBER" (at most 100000) or "body=SIZE" (at most 1024k) is expected

== http zone - body
webhook_zone zone=z:8m body=1g; # <<
-- invalid parameter "body=1g": "zone=NAME:SIZE", "log=NUMBER" (at most 100000) or "body=SIZE" (at most 1024k) is expected

== http zone - twice
webhook_zone zone=z:8m;
webhook_zone zone=y:8m; # <<
-- "webhook_zone" directive is duplicate

== http zone - another's
limit_req_zone $uri zone=z:8m rate=1r/s;
webhook_zone zone=z:8m; # <<
-- the shared memory zone "z" is already declared for a different use

== server zone - in a server
webhook_zone zone=z:8m; # <<
-- "webhook_zone" directive is not allowed here

== http zone - good
webhook_zone zone=z:1m log=0 body=0;
-- ok

== http buffer size - not a size
webhook_buffer_size some; # <<
-- "webhook_buffer_size" directive must be a size, as "256k" or "1m"

== http buffer size - small
webhook_buffer_size 100; # <<
-- "webhook_buffer_size" directive must be at least 1k

== http buffer size - total
webhook_buffer_size 1m total=64k; # <<
-- "webhook_buffer_size" directive has a "total=" that is less than one response

== http buffer size - parameter
webhook_buffer_size 1m all=64m; # <<
-- invalid parameter "all=64m": "total=SIZE" is expected

== http buffer size - twice
webhook_buffer_size 1m;
webhook_buffer_size 1m; # <<
-- "webhook_buffer_size" directive is duplicate

== http buffer size - good
webhook_buffer_size 64m;
-- ok

== http connections - zero
webhook_connections 0; # <<
-- value must be between 1 and 1000000

== http connections - not a number
webhook_connections many; # <<
-- "webhook_connections" directive invalid number

== http redact - empty
webhook_redact a "-_"; # <<
-- "webhook_redact" directive has an empty name

== http redact - twice
webhook_redact a;
webhook_redact b; # <<
-- "webhook_redact" directive is duplicate

== http redact - off
webhook_redact off;
-- ok

== http redact - off, and a name
webhook_redact off;
webhook_redact b; # <<
-- "webhook_redact" directive is duplicate

== http redact - off beside a name
webhook_redact password off; # <<
-- "webhook_redact" directive has "off" beside a name

== http store
webhook_store %%TESTDIR%%/store sync=normal keep=1d size=100m;
-- ok

== http store - twice
webhook_store %%TESTDIR%%/store;
webhook_store %%TESTDIR%%/store; # <<
-- "webhook_store" directive is duplicate

== http store - sync
webhook_store %%TESTDIR%%/store sync=off; # <<
-- invalid parameter "sync=off": "sync=full", "sync=normal", "keep=TIME" or "size=SIZE" (at least 16m) is expected

== http store - keep
webhook_store %%TESTDIR%%/store keep=long; # <<
-- invalid parameter "keep=long": "sync=full", "sync=normal", "keep=TIME" or "size=SIZE" (at least 16m) is expected

== http store - size
webhook_store %%TESTDIR%%/store size=10m; # <<
-- invalid parameter "size=10m": "sync=full", "sync=normal", "keep=TIME" or "size=SIZE" (at least 16m) is expected

== http store - off
webhook_store off; # <<
-- "webhook_store" directive must name a directory; without the directive there is no store

== http store - variable
webhook_store /var/lib/$hostname; # <<
-- "webhook_store" directive cannot have variables

== http store - no directory
webhook_store ""; # <<
-- "webhook_store" directive has an empty directory

== http store - a file
webhook_store %%TESTDIR%%/w.conf; # <<
-- "%%TESTDIR%%/w.conf" is not a directory

== http store - no directory above it
# other
webhook_store %%TESTDIR%%/none/store; # <<
-- directory "%%TESTDIR%%/none/store" cannot be made (2: No such file or directory)

== http store - a file above it
webhook_store %%TESTDIR%%/w.conf/store; # <<
-- directory "%%TESTDIR%%/w.conf/store" cannot be made (20: Not a directory)

== http store - one made by nginx above it
proxy_cache_path %%TESTDIR%%/made/ keys_zone=made:1m;
webhook_store %%TESTDIR%%/made/store;
-- ok

== http store - there already
webhook_store %%TESTDIR%%;
-- ok

== server observe - unknown API
webhook_observe none; # <<
-- unknown webhook_api "none"

== server status - parameter
location / { webhook_status writes=on; # <<
}
-- invalid parameter "writes=on" of "webhook_status": "write=on" or "write=off" is expected

== server status - write
location / { webhook_status write=maybe; # <<
}
-- invalid parameter "write=maybe" of "webhook_status": "write=on" or "write=off" is expected

== server status - regex
location ~ /status { webhook_status; # <<
}
-- "webhook_status" answers all paths below a location's prefix and cannot stand in location "/status", which is exact, named or a regular expression

== server status - named
location @status { webhook_status; # <<
}
-- "webhook_status" answers all paths below a location's prefix and cannot stand in location "@status", which is exact, named or a regular expression

== server status - in a server
webhook_status; # <<
-- "webhook_status" directive is not allowed here

== server status - loopback
location / { webhook_status write=on; }
-- ok

== server status - reading only
listen 0.0.0.0:%%PORT_1%%;
location / { webhook_status; }
-- ok

== server status - public
listen 0.0.0.0:%%PORT_1%%;
location / { webhook_status write=on; # <<
}
-- [warn] "webhook_status write=on" beyond loopback without allow and deny, auth_basic or auth_request

== server status - loopback of IPv6, a socket
listen [::1]:%%PORT_1%%;
listen unix:%%TESTDIR%%/x.sock;
location / { webhook_status write=on; }
-- ok

== server status - public, IPv6
listen [::]:%%PORT_1%% ipv6only=on;
location / { webhook_status write=on; # <<
}
-- [warn] "webhook_status write=on" beyond loopback without allow and deny, auth_basic or auth_request

== server status - public, no realm
listen 0.0.0.0:%%PORT_1%%;
auth_basic realm; auth_basic_user_file %%TESTDIR%%/secret;
location / { auth_basic off; webhook_status write=on; # <<
}
-- [warn] "webhook_status write=on" beyond loopback without allow and deny, auth_basic or auth_request

== server status - public, addresses
listen 0.0.0.0:%%PORT_1%%;
location / { webhook_status write=on; allow 10.0.0.0/8; deny all; }
-- ok

== server status - public, password of the server
listen 0.0.0.0:%%PORT_1%%;
auth_basic realm; auth_basic_user_file %%TESTDIR%%/secret;
location / { webhook_status write=on; }
-- ok

== server status - public, subrequest
listen 0.0.0.0:%%PORT_1%%;
location / { webhook_status write=on; auth_request /auth; }
-- ok
