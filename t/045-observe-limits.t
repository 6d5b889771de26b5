#!/usr/bin/perl

# Limits of memory, and what comes in the middle of a response: they cost
# events, never a byte of what the client gets, and nothing stays behind.

###############################################################################

use warnings;
use strict;

use IO::Compress::Gzip qw/ gzip /;
use MIME::Base64 qw/ encode_base64 /;
use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 1);
my $up = $t->upstream('up');
my $r = $t->receiver('ci', fallback => { hold => 1 });
my $cert = $t->cert('nginx');

$t->http_config(<<'EOF');

log_format events '$request_uri $status events=$webhook_events';
access_log %%TESTDIR%%/access.log events;

webhook_zone zone=webhooks:1m;
webhook_buffer_size 64k total=128k;

webhook_api test {
    id          /id;
    execution   "";
    state       /status;
    states      STARTED running;
    states      FINISHED done;

    route POST /launch/* { launch; }
    route GET /sent/above { each /x/*; goal 2/y; }
    route GET /* { }
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    listen 127.0.0.1:%%PORT_ssl%% ssl http2;
    server_name localhost;

    ssl_certificate %%TESTDIR%%/certs/nginx.pem;
    ssl_certificate_key %%TESTDIR%%/certs/nginx.key;

    webhook_observe test realm=$http_x_realm;
    proxy_ignore_client_abort on;
    proxy_buffering off;

    location / {
        proxy_pass %%URL_up%%;
    }

    location /sent/ {
        webhook ci { url %%URL_ci%%/; retry off; events EXECUTION; }
        proxy_pass %%URL_up%%;
    }

    location /status/ { webhook_observe off; webhook_status; }
}

EOF

$t->run();

###############################################################################

sub sized {
	my ($size, $id) = @_;

	my $head = qq/{"id":"$id","status":"running","x":"/;

	return $head . ('y' x ($size - length($head) - 2)) . '"}';
}

my %seen;

sub events {
	my ($uri) = @_;

	my $events;

	wait_for {
		my @lines = $t->access_log() =~ /^\Q$uri\E \d+ events=(\S+)$/mg;
		return 0 if @lines <= ($seen{$uri} || 0);

		$events = $lines[$seen{$uri}++];
		return 1;
	} 5;

	return $events;
}

my $realm = 0;

sub fresh { return (headers => [ 'X-Realm' => ++$realm ]) }

# all that a worker reads at once

$up->set('/half' => { body => sized(60_000, 'half'), truncate => 50_000,
	then => 'hang' }, '/whole' => { body => sized(60_000, 'whole') },
	'/little' => { body => sized(100, 'little') });

is($t->get('/whole', fresh())->status, 200, 'there is room');
is(events('/whole'), 1, 'read');

for my $round (1, 2) {
	my @clients = map { $t->connect() } 1 .. 3;

	for my $c (@clients) {
		$c->send_request('GET', '/half', fresh());
		$c->read_until(qr/\r\n\r\n/);
		is(length $c->read_bytes(50_000), 50_000, 'half of it passes');
	}

	is(length $t->get('/whole?t0ken', fresh())->body, 60_000,
		'another one, too');
	is(events('/whole?t0ken'), 0, 'not read: no room');

	$t->get('/little', fresh());
	is(events('/little'), 1, 'a small one is read');

	$_->close() for @clients;
	$up->close_all();

	is(events('/half'), 0, 'unread') for 1 .. 3;

	$t->get('/whole', fresh());
	is(events('/whole'), 1, 'read again, the memory is back');
}

# many limits reached, many clients gone: nothing is left of any

gzip(\sized(300_000, 'bomb') => \my $bomb);

my %kinds = (
	'/large' => { body => sized(70_000, 'large'), chunked => 4096 },
	'/bomb' => { headers => { 'Content-Encoding' => 'gzip' },
		body_b64 => encode_base64($bomb, '') },
	'/html' => { body => ' ' x 30_000 . '<html>' },
	'/cut' => { body => sized(60_000, 'cut'), truncate => 40_000,
		then => 'reset' },
	'/gzip' => { gzip => 1, body => sized(60_000, 'gzip') },
	'/broken' => { headers => { 'Content-Encoding' => 'gzip' },
		body_b64 => encode_base64(substr($bomb, 0, 300) . 'x' x 9000,
			'') },
);

$up->set(%kinds);

for my $round (1 .. 5) {
	for my $uri (sort keys %kinds) {
		$t->get($uri, fresh());
		is(events($uri), $uri eq '/gzip' ? 1 : 0, "$uri, $round");

		my $c = $t->connect();
		$c->send_request('GET', $uri, fresh());
		$c->read_until(qr/\r\n\r\n./) if $round % 2;
		$round > 2 ? $c->reset() : $c->close();
		events($uri);
	}
}

$t->get('/whole', fresh());
is(events('/whole'), 1, 'all memory is back');

my @two = map { $t->connect() } 1, 2;
$_->send_request('GET', '/half', fresh()) for @two;
$_->read_bytes(50_000) for @two;
$t->get('/little', fresh());
is(events('/little'), 1, 'all of it');
$_->close() for @two;
$up->close_all();
events('/half') for 1, 2;

# HTTP/2 clients that leave in the middle

$up->set('/drip' => { body => sized(2000, 'drip'), piece => 50, gap => 20 });

for (1 .. 3) {
	my $before = $up->requests('/drip');
	my $pid = fork();

	if ($pid == 0) {
		open STDOUT, '>', '/dev/null';
		open STDERR, '>', '/dev/null';
		exec 'curl', '-s', '--http2', '--cacert', $cert->{ca},
			'https://localhost:' . $t->port('ssl') . '/drip'
			or POSIX::_exit(127);
	}

	wait_for { $up->requests('/drip') > $before };
	kill 'KILL', $pid;
	waitpid $pid, 0;
	is(events('/drip'), 0, 'HTTP/2, gone in the middle');
}

# a reload, and a worker's death, in the middle

my $c = $t->connect();
$c->send_request('GET', '/drip', fresh());
$c->read_until(qr/\r\n\r\n./);
ok($t->reload(), 'reload in the middle');
like($c->read_until(qr/"\}/), qr/yyy$/, 'the rest of it');
is(events('/drip'), 1, 'read by the old worker');

$c = $t->connect();
$c->send_request('GET', '/drip', fresh());
$c->read_until(qr/\r\n\r\n./);
$t->kill_worker();
ok($t->wait_workers(), 'another worker');

$t->get('/whole', fresh());
is(events('/whole'), 1, 'which reads');

# a zone that is full: the event is not lost, the next poll tries again

my $n = 0;
my $refused;

while (++$n < 100) {
	$up->set("/sent/$n" => { body => sized(20_000, "s$n") });
	$t->get("/sent/$n");

	if (events("/sent/$n") == 0) {
		$refused = $n;
		last;
	}
}

ok($refused && $refused > 5, 'the zone is full at last')
	or diag(defined $refused ? $refused : 'never');

$t->get("/sent/$refused?t0ken") for 1 .. 3;
is(events("/sent/$refused?t0ken"), 0, 'refused again') for 1 .. 3;

ok(scalar(() = $t->error_log() =~ /has lost its events: $_/), "said: $_")
	for 'no memory', 'webhook_zone is full';

# that it is, whatever is left when the time to write so much is over

$up->set('/sent/above' => { body => '{"x":[' . join(',', map {
	qq({"id":"above $_","status":"running"}) } 1 .. 400) . '],"y":{"z":['
	. '1.2345678901234567e-200,' x 1600 . '1]}}' });
$t->get('/sent/above');
is(events('/sent/above'), 0, 'refused, all of many');

is($t->get('/status/observed?limit=1')->json()->{observed}[0]{reason},
	'refused', 'and called that');

unlike($t->error_log(), qr/has lost its events.*(?:t0ken|request:)/,
	'and nothing of the request');

$r->set('*' => { status => 204 });
$r->release();

my $accepted = wait_for {
	$t->get("/sent/$refused");
	events("/sent/$refused") == 1;
} 20;

ok($accepted, 'accepted when there is room');

ok($r->wait_request(sub { $_[0]->body =~ /"id":"s$refused"/ }), 'and sent');

$t->done();

###############################################################################
