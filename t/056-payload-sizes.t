#!/usr/bin/perl

# Payloads of 64 KiB and of 1 MiB, to the byte and one more or less, where
# buffers, frames and limits end: each arrives whole and signed, by either
# transport, in one attempt, and after a crash from the store.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;
use WebhookTest::Store;

###############################################################################

my $stored = store_available();
my $secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

my $s = WebhookTest::Store->new(zone => '32m', store => $stored ? '' : 'none',
	hook => "secret $secret; retry 1s 1s 1s 1s 1s 1s 1s 1s;");
my ($t, $r) = @$s{qw/ t r /};

my $cert = $t->cert('receiver', dns => [ qw/ localhost receiver.test / ]);

my %peers = (
	plain => $r,
	secure => $t->receiver('secure', tls => $cert),
	two => $t->receiver('two', tls => $cert, http2 => 1),
);

# a webhook, its peer, and what it has beside the secret

my $trusted = "ssl_trusted_certificate $cert->{ca};";

my %hooks = (
	ci => [ 'plain' ],
	form => [ 'plain', 'url %%URL_ci%%/form;'
		. 'content_type application/x-www-form-urlencoded;' ],
	via => [ 'plain', 'url http://receiver.test/via; via @plain;' ],
	secure => [ 'secure', "url %%URL_secure%%/secure; $trusted" ],
	two => [ 'two', "url %%URL_two%%/two; $trusted http2 on;" ],
	via_secure => [ 'secure',
		'url https://receiver.test/via_secure; via @secure;' ],
);

my @names = sort keys %hooks;

# the shipped file, but the authority

my $via = read_file(repo('conf/webhook/via.conf'));
$via =~ s/^(proxy_ssl_trusted_certificate\s+)\S+;/$1$cert->{ca};/m;
$t->file('via.conf', $via);

$s->configure(http => 'webhook_buffer_size 2m;', server => <<'EOF',

location @plain {
    include %%TESTDIR%%/via.conf;
    proxy_pass %%URL_ci%%;
}

location @secure {
    include %%TESTDIR%%/via.conf;
    proxy_pass %%URL_secure%%;
}

EOF
	hooks => join('', map { "webhook $_ { $hooks{$_}[1] $s->{hook} }\n" }
		grep { $hooks{$_}[1] } @names));

$t->run();

# what a payload is long without the text

my ($empty) = sent('00000', 1);
my $least = length($empty->body) - 1;

for my $size (map { my $n = $_; map { $n + $_ } -1, 0, 1 } 65536, 1048576) {
	my $id = sprintf '%05d', $size % 100000;
	my ($sent) = sent($id, $size - $least);
	my $body = $sent ? $sent->body : '';

	is(length $body, $size, "$size bytes");

	for my $name (@names) {
		my $q = received($id, $name) or fail("$size, $name"), next;

		ok(text($q) eq $body, "$size, $name - whole");
		is(judge($name, $q), '', "$size, $name - signed");
		is($q->header('X-Webhook-Attempt'), 1, "$size, $name - at once");
		is($q->header('Expect'), undef, "$size, $name - no Expect");
	}

	my $uuid = $sent->header('X-Webhook-Delivery');
	my $shown = wait_for {
		my $d = $t->get("/hooks/deliveries/$uuid")->json;
		$d->{status} eq 'delivered' && $d->{request}{payload};
	};
	ok($shown eq $body, "$size - shown whole");
}

SKIP: {
	skip 'built without webhook_store', 1 unless $stored;

	# refused, and then everything dies

	$_->set('*' => { status => 503 }) for values %peers;

	my ($sent) = sent('11111', 1048576 - $least);
	is(length $sent->body, 1048576, '1 MiB, refused');
	ok($s->on_disk(waiting => scalar @names), 'all wait on disk');

	$t->crash();

	for my $peer (values %peers) {
		$peer->forget();
		$peer->set('*' => { status => 204 });
	}

	$t->run();

	for my $name (@names) {
		my $q = received('11111', $name) or fail("crash, $name"), next;

		ok(text($q) eq $sent->body, "crash, $name - whole");
		is(judge($name, $q), '', "crash, $name - signed");
	}
}

$s->done();

###############################################################################

# an execution whose document has so long a text; how it came to ci

sub sent {
	my ($id, $length) = @_;

	$s->status($id, 'queued', launch => 1, size => $length);

	return received($id, 'ci');
}

# the first request for a webhook that brought it

sub received {
	my ($id, $name) = @_;
	my $found;

	wait_for {
		($found) = grep { $_->body =~ /id(?:":"|%22%3A%22)$id/ }
			$peers{$hooks{$name}[0]}->requests("/$name");
	} 20;

	return $found;
}

# the library reads what it has verified, as JSON

sub judge {
	my ($name, $q) = @_;

	return $name eq 'form' ? ''
		: $t->judge('standardwebhooks', $secret, $q);
}

# the JSON

sub text {
	my ($q) = @_;
	my $text = $q->body;

	return $text unless $text =~ s/^payload=//;

	$text =~ s/%(..)/chr hex $1/ge;

	return $text;
}

###############################################################################
