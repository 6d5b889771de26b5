#!/usr/bin/perl

# The built-in transport over TLS and HTTP/2: which certificates are good, that
# a file of trusted ones is all that is trusted, and that large payloads and
# early answers do not hang.

###############################################################################

use warnings;
use strict;

use POSIX ();
use Test::More;
use Time::HiRes qw/ time /;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 1);

my $good = $t->cert('good');
my $own = $t->cert('own', self_signed => 1);
my $other = $t->cert('other', dns => [ 'other.example' ],
	ip => [ '127.0.0.9' ]);

my %peers = (
	good => $t->receiver('good', tls => $good),
	own => $t->receiver('own', tls => $own),
	other => $t->receiver('other', tls => $other),
	h2 => $t->receiver('h2', tls => $good, http2 => 1, rules => {
		'/h2-reset' => { drop => 'close' } }),
	plain => $t->receiver('plain'),
	new => $t->receiver('new', tls => { %$good, minVersion => 'TLSv1.3' }),
);

# the shipped file, but the authority

my $via = read_file(repo('conf/webhook/via.conf'));
$via =~ s/^(proxy_ssl_trusted_certificate\s+)\S+;/$1$good->{ca};/m;
$t->file('via.conf', $via);

# KB of headers

my @headers = (10, 20, 36, 50, 62, 96, 120);

for my $n (@headers) {
	$peers{h2}->set("/h2-headers-$n" => { status => 204,
		headers => { map { ("X-$_" => 'v' x 990) } 1 .. $n } });
}

# name => [ peer, settings, code, error, message ]

my $ca = "ssl_trusted_certificate $good->{ca};";
my $only = "ssl_trusted_certificate $own->{cert};";

my %cases = (
	trusted => [ 'good', $ca, 204 ],
	system => [ 'good', '', undef, 'tls', qr/refused: unable to get/ ],
	off => [ 'good', 'ssl_verify off;', 204 ],
	only => [ 'good', $only, undef, 'tls', qr/refused: unable to get/ ],
	pinned => [ 'own', $only, 204 ],
	'self-signed' => [ 'own', $ca, undef, 'tls', qr/self-signed/ ],
	name => [ 'other', $ca, undef, 'tls', qr/is not one for/ ],
	'name-off' => [ 'other', 'ssl_verify off;', 204 ],
	'no-tls' => [ 'plain', "$ca timeout 400ms;", undef,
		qr/^(tls|timeout)$/ ],
	h2 => [ 'h2', "$ca http2 on;", 204 ],
	'h2-not' => [ 'good', "$ca http2 on;", 204 ],
	'h2-off' => [ 'h2', $ca, 204 ],
	new => [ 'new', $ca, 204 ],
	via => [ 'good', 'via @good;', 204 ],
	'via-dot' => [ 'good', 'via @good;', 204 ],
	'via-new' => [ 'new', 'via @new;', 204 ],
	'via-name' => [ 'other', 'via @other;', undef, 'connect',
		qr/TLS handshake failed/ ],
	'h2-reset' => [ 'h2', "$ca http2 on;", undef, qr/^(protocol|reset)$/ ],
	map { ("h2-headers-$_" => [ 'h2', "$ca http2 on;", 204 ]) } @headers,
);

# nginx itself knows no names that are addresses

my $hooks = join '', map { "webhook $_ { url https://"
	. (/dot/ ? 'localhost.' : /^via/ ? 'localhost' : '127.0.0.1') . ":%%PORT_$cases{$_}[0]%%/$_; $cases{$_}[1] }\n" } sort keys %cases;

my $locations = join '', map { "location \@$_ { include %%TESTDIR%%/via.conf;"
	. " proxy_pass https://127.0.0.1:%%PORT_$_%%; }\n" } qw/ good new other /;

$t->http_config(<<"EOF");

webhook_defaults { retry off; }

webhook_api test {
    execution  "";
    id         /id;
    route      GET /run/* { launch; }
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    listen 127.0.0.1:%%PORT_ssl%% ssl;
    ssl_certificate $good->{cert};
    ssl_certificate_key $good->{key};
    server_name localhost;

    $hooks
    $locations
    location /run/ {
        webhook_observe test;
        proxy_ignore_client_abort on;
        alias %%TESTDIR%%/html/;

        webhook big { url %%URL_h2%%/big; $ca http2 on; events EXECUTION; }
        webhook flood {
            url https://localhost:%%PORT_flood%%/; $ca http2 on;
            events EXECUTION; match /none *; timeout 4s;
        }
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF

$t->run();

###############################################################################

for my $name (sort keys %cases) {
	my ($peer, undef, $code, $error, $message) = @{ $cases{$name} };
	my $d = ended($name);
	my $a = $d->{attempts}[0];

	is(@{ $d->{attempts} }, 1, "$name - one attempt");
	is($d->{status}, $code ? 'delivered' : 'failed', "$name - status");
	is($a->{code}, $code, "$name - code");

	if ($error) {
		$error = qr/^$error$/ unless ref $error;
		like($a->{error}, $error, "$name - error");
		is($a->{peer}, '127.0.0.1:' . $peers{$peer}->port,
			"$name - peer");

	} else {
		is($a->{error}, undef, "$name - no error");
	}

	like($a->{message}, $message, "$name - a sentence") if $message;

	if ($error && $name ne 'h2-reset') {
		is($peers{$peer}->requests("/$name"), 0,
			"$name - nothing was sent");
	}
}

# what failed there is not said of a client: no alert is logged

my $client = $t->curl('--cacert', $good->{ca}, 'https://localhost:'
	. $t->port('ssl') . '/status/hooks');

is($client->status, 200, 'a client, TLS');

# these two share a connection, which the first of them makes

my ($phases) = grep { defined $_->{connect} }
	map { ended($_)->{attempts}[0]{phases} } qw/ trusted h2-not /;

ok(defined $phases->{$_}, "phases - $_")
	for qw/ connect tls first_byte total /;

is(($peers{h2}->requests('/h2'))[0]->proto, 'h2.0', 'h2 - protocol');
like(($peers{h2}->requests('/h2-off'))[0]->proto, qr/1\.1/,
	'h2-off - protocol');

# more than HTTP/2 lets through at once; the first file makes the connection

for my $size (1000, 65535, 65536, 65537, 200000) {
	$t->file("html/$size", '{"id":"' . $size . '","x":"' . 'y' x $size
		. '"}');
	$t->see('GET', "/run/$size");
}

is($peers{h2}->wait_requests(5, 20, '/big'), 5, 'big - all received');
is(scalar(grep { length $_->body > 1000 } $peers{h2}->requests('/big')), 5,
	'big - whole');

ok(wait_for { !grep { $_->{status} ne 'delivered' } @{ $t->get(
	'/status/deliveries?hook=big')->json->{deliveries} } },
	'big - delivered');

# frames without an end, which say nothing, as fast as they are read: libcurl
# goes on reading, but the worker has others to serve

my $frames = "\0\0\0\xfa" . "\0" x 5;
my $flood = fork();

if (!$flood) {
	open STDOUT, '>', '/dev/null';
	open my $f, '|-', qw/ openssl s_server -quiet -naccept 1 -alpn h2
		-accept /, '127.0.0.1:' . $t->port('flood'), '-cert',
		$good->{cert}, '-key', $good->{key} or die "openssl: $!\n";
	binmode $f;
	$SIG{PIPE} = 'DEFAULT';
	print $f "\0\0\0\4" . "\0" x 5;
	1 while print $f $frames x 2000;
	POSIX::_exit(0);
}

my $listens = sprintf '0100007F:%04X 00000000:0000 0A', $t->port('flood');

ok(wait_for { read_file('/proc/net/tcp') =~ /$listens/ }, 'flood - it listens');

$t->post('/status/hooks/flood/ping', '', headers => [
	'X-Webhook-Write' => 1 ]);

my ($longest, $status) = (0);

do {
	my $start = time;

	$t->get('/status/hooks/flood');
	$longest = time - $start if $longest < time - $start;
	$status = $t->get('/status/deliveries?hook=flood')
		->json->{deliveries}[0];

} until $status->{attempts} && $status->{status} ne 'sending';

cmp_ok($longest, '<', 2, 'flood - others are served');

kill 'KILL', $flood;
waitpid $flood, 0;

$t->done();

###############################################################################

sub ended {
	my ($hook) = @_;
	my $d;

	wait_for {
		($d) = @{ $t->get("/status/deliveries?hook=$hook")
			->json->{deliveries} };
		return $d && $d->{status} !~ /waiting|sending/;
	};

	return $t->get("/status/deliveries/$d->{uuid}")->json;
}

###############################################################################
