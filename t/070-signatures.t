#!/usr/bin/perl

# Signatures as receivers see them: what their own libraries, OpenSSL and
# Debian's webhook say of pings and events on the wire, with each scheme, with
# secrets that are being rotated, and without one.

###############################################################################

use warnings;
use strict;

use Digest::SHA qw/ hmac_sha1_hex hmac_sha256_base64 hmac_sha256_hex /;
use MIME::Base64 qw/ decode_base64 encode_base64 /;
use Test::More;

use WebhookTest;

###############################################################################

my $one = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
my $two = 'whsec_b2xkIHNlY3JldCwgYWJvdXQgdG8gYmUgcmV0aXJlZA==';
my $three = 'whsec_' . encode_base64('another secret, and a longer one', '');
my $plain = "It's a Secret to Everybody";
my $encoded = 'whsec_' . encode_base64($plain, '');

my $private = 'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKk'
	. 'ioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==';
my $seed = 'whsk_' . encode_base64('x' x 32, '');

# webhook => [settings, {library => [secrets that it accepts]}, a list of
# headers that are there and of those that are not: "!name"]; every library is
# asked for all secrets that are named anywhere

my @standard = qw/ webhook-id webhook-timestamp webhook-signature /;

my %hooks = (
	standard => [ "secret $one; signature standard;",
		{ standardwebhooks => [ $one ], svix => [ $one ] },
		@standard, '!x-virtuoso-signature' ],
	plain => [ qq{secret "$plain"; signature standard;},
		{ standardwebhooks => [ $encoded ], svix => [ $encoded ] },
		@standard ],
	file => [ 'secret file:%%TESTDIR%%/secret; signature standard;',
		{ standardwebhooks => [ $three ] }, @standard ],
	rotated => [ "secret $three; secret $one $two; signature standard;",
		{ standardwebhooks => [ $one, $two, $three ],
		svix => [ $one, $two, $three ] }, @standard ],
	lapsed => [ "secret $one until=2020-01-31; secret $two;"
		. 'signature standard stripe github;',
		{ standardwebhooks => [ $two ], stripe => [ $two ],
		octokit => [ $two ] }, @standard ],
	lapsing => [ "secret $one until=2099-01-31T18:00:00Z; secret $two;"
		. 'signature standard stripe github;',
		{ standardwebhooks => [ $one, $two ], stripe => [ $one, $two ],
		octokit => [ $one ] }, @standard ],
	last => [ "secret $one until=2020-01-31; secret $two until=2021-01-31;"
		. "secret $three until=2019-01-31; signature standard;",
		{ standardwebhooks => [ $two ] }, @standard ],
	v1a => [ "secret $private; signature standard virtuoso github stripe;",
		{}, @standard, '!x-virtuoso-signature', '!x-hub-signature-256',
		'!x-hub-signature', '!stripe-signature', 'x-github-event' ],
	seed => [ "secret $seed; signature standard;", {}, @standard ],
	mixed => [ "secret $private $one; signature standard virtuoso;",
		{ standardwebhooks => [ $one ], svix => [ $one ] },
		@standard, 'x-virtuoso-signature' ],
	virtuoso => [ qq{secret "$plain" $two; signature virtuoso;}, {},
		'x-virtuoso-signature', '!webhook-id', '!webhook-timestamp',
		'!webhook-signature' ],
	sha256 => [ "secret $one; signature virtuoso=sha256;", {},
		'x-virtuoso-signature', '!webhook-signature' ],
	github => [ qq{secret "$plain" $two; signature github;},
		{ octokit => [ $plain ] }, qw/ x-hub-signature-256
		x-hub-signature x-github-event x-github-delivery /,
		'!webhook-id' ],
	stripe => [ "secret $one $two; signature stripe;",
		{ stripe => [ $one, $two ] }, 'stripe-signature',
		'!webhook-id' ],
	all => [ "secret $two; signature standard virtuoso github stripe;",
		{ standardwebhooks => [ $two ], svix => [ $two ],
		octokit => [ $two ], stripe => [ $two ] }, @standard,
		qw/ x-virtuoso-signature x-hub-signature-256
		stripe-signature / ],
	default => [ "secret $one;", { standardwebhooks => [ $one ] },
		@standard, 'x-virtuoso-signature', '!stripe-signature',
		'!x-hub-signature-256' ],
	none => [ "secret $one; signature none;", {},
		map { "!$_" } @standard, 'x-virtuoso-signature' ],
	open => [ 'signature standard virtuoso github stripe;', {},
		'webhook-id', 'webhook-timestamp', 'x-github-event',
		'x-github-delivery', map { "!$_" } qw/ webhook-signature
		x-virtuoso-signature x-hub-signature-256 x-hub-signature
		stripe-signature / ],
	form => [ "secret $one; signature standard virtuoso github stripe;"
		. 'content_type application/x-www-form-urlencoded;',
		{ octokit => [ $one ] }, @standard ],
);

# by Debian's webhook: rule => settings

my %rules = (
	'payload-hmac-sha1' => [ 'X-Virtuoso-Signature', 'virtuoso' ],
	'payload-hmac-sha256' => [ 'X-Hub-Signature-256', 'github' ],
);

my $t = WebhookTest->new();
my $api = $t->example_api('api');
my $r = $t->receiver('r');

$t->file('secret', "$three\n");

my $debian = grep { -x "$_/webhook" } split /:/, $ENV{PATH};
my $daemon = $debian ? start_webhook() : undef;

my $conf = '';

for my $name (sort keys %hooks) {
	$conf .= "webhook $name { url %%URL_r%%/$name; $hooks{$name}[0]"
		. " match /execution/goalId 3001; }\n";
}

for my $rule ($debian ? sort keys %rules : ()) {
	for my $type (qw/ json x-www-form-urlencoded /) {
		for my $secret (qw/ right wrong /) {
			my $text = $secret eq 'right' ? $one : $two;

			$conf .= "webhook $rule-$type-$secret {"
				. " url http://127.0.0.1:%%PORT_w%%/hooks/$rule;"
				. " signature $rules{$rule}[1]; secret $text;"
				. " content_type application/$type;"
				. " events LAUNCHED; retry off; }\n";
		}
	}
}

$t->http_config(<<"EOF");

include %%CONF%%/webhook/virtuoso.conf;

server {
    listen 127.0.0.1:%%PORT_0%%;

    webhook_defaults {
        member organization.name "\xc3\x85cme & S\xc3\xb8ns + 100% \xe2\x98\x83";
        retry off;
    }

    location /api/ {
        proxy_pass %%URL_api%%;
        proxy_ignore_client_abort on;
        webhook_observe virtuoso;

        $conf
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF

$t->run();

###############################################################################

is($t->post('/api/goals/3001/execute')->status, 200, 'launched');

my $began = time();
my @all = $r->wait_requests(2 * keys %hooks, 20);

is(@all, 2 * keys %hooks, 'a ping and an event for each');

my %said = map { $_ => 1 } map { @$_ } map { values %{ $_->[1] } }
	values %hooks;

for my $name (sort keys %hooks) {
	my (undef, $judges, @headers) = @{ $hooks{$name} };

	my @requests = $r->requests("/$name");

	is(join(' ', sort map { $_->header('X-Webhook-Event') } @requests),
		'LAUNCHED PING', "$name - one of each");

	for my $q (@requests) {
		my $event = $q->header('X-Webhook-Event');
		my $uuid = $q->header('X-Webhook-Delivery');

		for my $h (@headers) {
			my ($not, $header) = $h =~ /^(!?)(.+)/;

			is(scalar(my @h = $q->header($header)), $not ? 0 : 1,
				"$name, $event - $header" . ($not && ' not'));
		}

		if ($q->header('webhook-id')) {
			is($q->header('webhook-id'), $uuid,
				"$name, $event - webhook-id is the delivery");
			like($q->header('webhook-timestamp'), qr/^\d+\z/,
				"$name, $event - timestamp, a number");
			cmp_ok(abs($q->header('webhook-timestamp') - $began),
				'<', 60, "$name, $event - timestamp, now");
		}

		if ($q->header('x-github-event')) {
			is($q->header('x-github-event'), $event eq 'PING'
				? 'ping' : 'execution',
				"$name, $event - github event");
			is($q->header('x-github-delivery'), $uuid,
				"$name, $event - github delivery");
		}
	}

	# the event's only

	my ($q) = grep { $_->header('X-Webhook-Event') ne 'PING' } @requests;

	for my $library (sort keys %$judges) {
		my %accepts = map { $_ => 1 } @{ $judges->{$library} };

		for my $secret (sort keys %said) {
			my $verdict = $t->judge($library, $secret, $q);

			if ($accepts{$secret}) {
				is($verdict, '', "$name - $library accepts");
				next;
			}

			like($verdict, qr/signature|Base64/i,
				"$name - $library refuses another secret");
		}
	}
}

# pings, by each library once

my ($ping) = grep { $_->header('X-Webhook-Event') eq 'PING' }
	$r->requests('/all');

for my $library (qw/ standardwebhooks svix octokit stripe /) {
	is($t->judge($library, $two, $ping), '', "ping - $library accepts");
}

# the current secret comes first

my %event = map { substr($_->path, 1) => $_ }
	grep { $_->header('X-Webhook-Event') eq 'LAUNCHED' } @all;

my ($first) = split / /, $event{rotated}->header('webhook-signature');
$event{rotated}{head} =~ s/^(webhook-signature: ).*/$1$first/m;
$event{rotated}{headers} = undef;

is($t->judge('standardwebhooks', $three, $event{rotated}), '',
	'rotated - the first one comes first');

is(signatures($event{lapsed}), 1, 'lapsed - one signature');
is(signatures($event{lapsing}), 2, 'lapsing - two signatures');
is(signatures($event{last}), 1, 'last - one signature');

# virtuoso, and github's older header

is($event{virtuoso}->header('X-Virtuoso-Signature'),
	'sha1=' . hmac_sha1_hex($event{virtuoso}->body, $plain), 'virtuoso');
is($event{sha256}->header('X-Virtuoso-Signature'),
	'sha256=' . hmac_sha256_hex($event{sha256}->body, $one),
	'virtuoso=sha256');
is($event{github}->header('X-Hub-Signature'),
	'sha1=' . hmac_sha1_hex($event{github}->body, $plain), 'github, sha1');
is($event{mixed}->header('X-Virtuoso-Signature'),
	'sha1=' . hmac_sha1_hex($event{mixed}->body, $one),
	'mixed - virtuoso with the secret that is shared');

# Ed25519, with the public key that the status endpoint shows

for my $name (qw/ v1a seed mixed /) {
	my $keys = $t->get("/status/hooks/$name")->json->{public_keys};

	is(@$keys, 1, "$name - one public key");
	like($keys->[0], qr/^whpk_/, "$name - public key");

	is(verify($event{$name}, $keys->[0]), 1, "$name - openssl accepts");
	is(verify($event{$name}, $keys->[0], 'x'), 0, "$name - openssl refuses");
}

is_deeply($t->get('/status/hooks/v1a')->json->{public_keys},
	[ 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=' ],
	'v1a - this public key');
is_deeply($t->get('/status/hooks/all')->json->{public_keys}, [],
	'all - no public key');

# the form: the JSON of the others, in a field

my $form = $event{form};

is($form->header('Content-Type'), 'application/x-www-form-urlencoded',
	'form - content type');
is($event{all}->header('Content-Type'), 'application/json',
	'json - content type');
like($form->body, qr/\Apayload=[\w.*+%-]+\z/, 'form - one field');

my ($value) = $form->body =~ /^payload=(.*)/s;
$value =~ tr/+/ /;
$value =~ s/%([0-9A-F]{2})/chr hex $1/ge;

is($value, $event{all}->body, 'form - the JSON text of the others');
is(json($value)->{organization}{name}, "\xc5cme & S\xf8ns + 100% \x{2603}",
	'form - text outside of ASCII');
is($form->header('X-Virtuoso-Signature'),
	'sha1=' . hmac_sha1_hex($form->body, $one), 'form - raw body signed');

# Debian's webhook, which takes a bad signature for a failure of its own

SKIP: {
	skip 'no webhook', 8 unless $debian;

	for my $rule (sort keys %rules) {
		for my $type (qw/ json x-www-form-urlencoded /) {
			is(code("$rule-$type-right"), 200,
				"$rule, $type - webhook accepts");
			is(code("$rule-$type-wrong"), 500,
				"$rule, $type - webhook refuses");
		}
	}
}

if ($daemon) {
	kill 'TERM', $daemon;
	waitpid $daemon, 0;
}

$t->done();

###############################################################################

sub signatures {
	my ($q) = @_;

	return scalar(my @s = split / /, $q->header('webhook-signature'));
}

# whether OpenSSL verifies the v1a signature of a request

sub verify {
	my ($q, $key, $more) = @_;

	my ($signature) = $q->header('webhook-signature') =~ /v1a,(\S+)/;
	my ($public) = $key =~ /^whpk_(.*)/;

	my $name = $t->dir() . '/v1a';

	# SubjectPublicKeyInfo of an Ed25519 key

	write_file("$name.der", pack('H*', '302a300506032b6570032100')
		. decode_base64($public));
	write_file("$name.sig", decode_base64($signature));
	write_file("$name.text", join('.', $q->header('webhook-id'),
		$q->header('webhook-timestamp'), $q->body . ($more || '')));

	my ($status, $said) = $t->output('openssl', 'pkeyutl', '-verify',
		'-pubin', '-keyform', 'DER', '-inkey', "$name.der", '-rawin',
		'-in', "$name.text", '-sigfile', "$name.sig");

	return 1 if $status == 0 && $said =~ /Verified Successfully/;
	return 0 if $said =~ /Verification Failure/;

	return $said;
}

# the code that a webhook's only delivery was answered

sub code {
	my ($name) = @_;

	my $d;

	wait_for {
		($d) = @{ $t->get("/status/deliveries?hook=$name")
			->json->{deliveries} };

		return $d && $d->{code};
	};

	return $d && $d->{code};
}

sub start_webhook {
	my @hooks = map { {
		id => $_,
		'execute-command' => '/bin/true',
		'trigger-rule' => { match => {
			type => $_, secret => $one,
			parameter => { source => 'header',
				name => $rules{$_}[0] },
		} },
	} } sort keys %rules;

	my $file = $t->file('hooks.json',
		JSON::PP->new->utf8->encode(\@hooks));
	my $port = $t->port('w');
	my $dir = $t->dir();

	my $pid = fork();
	die "fork: $!" unless defined $pid;

	if ($pid == 0) {
		open STDOUT, '>', "$dir/webhook.log";
		open STDERR, '>&', \*STDOUT;
		exec 'webhook', '-verbose', '-hooks', $file, '-ip', '127.0.0.1',
			'-port', $port or POSIX::_exit(127);
	}

	wait_for { IO::Socket::INET->new("127.0.0.1:$port") }
		or die 'webhook did not start: '
			. read_file("$dir/webhook.log");

	return $pid;
}

###############################################################################
