#!/usr/bin/perl

# The judges: receivers' own libraries accept a good signature, and no other.

###############################################################################

use warnings;
use strict;

use Digest::SHA qw/ hmac_sha256_base64 hmac_sha256_hex /;
use MIME::Base64 qw/ decode_base64 /;
use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new();
my $r = $t->receiver();

my $secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
my $body = '{"test": 2432232314}';
my $now = time();

my ($key) = $secret =~ /^whsec_(.*)/;
my $v1 = hmac_sha256_base64("id-1.$now.$body", decode_base64($key)) . '=';

my $c = $t->connect($r->port);

$c->request('POST', '/', body => $body, headers => [
	'webhook-id' => 'id-1',
	'webhook-timestamp' => $now,
	'webhook-signature' => "v1,$v1",
	'X-Hub-Signature-256' => 'sha256=' . hmac_sha256_hex($body, $secret),
	'Stripe-Signature' => "t=$now,v1="
		. hmac_sha256_hex("$now.$body", $secret),
]);

$c->request('POST', '/', body => $body, headers => [
	'webhook-id' => 'id-2',
	'webhook-timestamp' => $now,
	'webhook-signature' => "v1,$v1",
	'X-Hub-Signature-256' => 'sha256=' . hmac_sha256_hex('other', $secret),
	'Stripe-Signature' => "t=$now,v1="
		. hmac_sha256_hex("$now.other", $secret),
]);

my ($good, $bad) = $r->wait_requests(2);

for my $library (qw/ standardwebhooks svix octokit stripe /) {
	is($t->judge($library, $secret, $good), '', "$library - good");

	my $said = $t->judge($library, $secret, $bad);
	like($said, qr/signature/i, "$library - bad");
}

$t->done();

###############################################################################
