#!/usr/bin/perl

# What is in the store alone is delivered again, and recovered.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;
use WebhookTest::Store;

###############################################################################

store_available() or plan skip_all => 'built without webhook_store';

###############################################################################

subtest 'deliver again' => sub {
	my $s = WebhookTest::Store->new(zone => '8m log=2',
		hook => 'retry off;');
	my ($t, $r) = @$s{qw/ t r /};

	$t->run();
	$s->ended(6);

	# two workers may take what follows each other in another order

	my %uuid = map { $_->[1] => $_->[0] } $s->stored();
	my ($first, $second, $third, $fourth) = @uuid{qw/ e1 e2 e3 e4 /};
	my ($payload) = map { $_->body() } $s->of('e1', $r->requests());

	my $again = $s->did("deliveries/$first/redeliver");
	is($again->status, 202, 'again');
	is($again->json->{uuid}, $first, 'uuid');

	my @got = $r->wait_requests(7);
	is($got[6]->header('X-Webhook-Delivery'), $first, 'the same UUID');
	is($got[6]->header('X-Webhook-Attempt'), 2, 'a new attempt');
	is($got[6]->body(), $payload, 'the same payload');

	my $d;
	ok(wait_for(sub {
		$d = $s->got("deliveries/$first")->json;
		$d->{status} eq 'delivered'
	}), 'delivered');
	is(@{ $d->{attempts} }, 2, 'two attempts');
	is($d->{attempts}[1]{code}, 204, 'the second');
	is($s->list('')->[0]{uuid}, $first, 'the newest now');

	ok($s->rows(1, "execution = 'e1' AND tries = 2 AND ended > 0"),
		'on disk');
	ok($s->rows(1, "execution = 'e1'"), 'one row');
	is($s->sql('SELECT count(*) FROM attempts a JOIN deliveries d'
		. " ON d.id = a.id WHERE execution = 'e1'"), 2, 'both attempts');

	# it waits through a restart

	$r->set('*' => { status => 503 });
	$s->configure(hook => 'retry 1h;');
	ok($t->reload(), 'reload');

	is($s->did("deliveries/$second/redeliver")->status, 202, 'again');
	ok($r->wait_requests(8), 'tried');
	ok($s->on_disk(waiting => 1), 'waits');
	ok($s->rows(1, 'ended = 0 AND tries = 2'), 'tried, on disk');

	is($s->did("deliveries/$second/redeliver")->status, 409, 'not ended');

	$t->crash();
	$r->forget();
	$r->set('*' => { status => 204 });
	$s->configure(hook => 'retry 1s;');
	$t->run();

	is($s->did('hooks/ci/resume')->status, 200, 'resume');
	@got = $r->wait_requests(1);
	is($got[0]->header('X-Webhook-Delivery'), $second, 'after a crash');
	is($got[0]->header('X-Webhook-Attempt'), 3, 'the third attempt');
	ok($s->on_disk(waiting => 0), 'ended');

	# what cannot be

	my @patient = ('-cmd', '.timeout 10000');

	$s->sql('DELETE FROM payloads WHERE id = (SELECT id FROM deliveries'
		. " WHERE execution = 'e3')", @patient);

	my $none = $s->did("deliveries/$third/redeliver");
	is($none->status, 409, 'no payload');
	is($none->header('Content-Type'), 'application/problem+json',
		'no payload: a problem');
	is($s->got("deliveries/$third")->json->{request}{payload}, undef,
		'no payload: shown');

	is($s->did('deliveries/01234567-89ab-8def-8123-456789abcdef/redeliver')
		->status, 404, 'unknown');

	$s->sql("UPDATE deliveries SET hook = 1 WHERE execution = 'e4'",
		@patient);
	is($s->did("deliveries/$fourth/redeliver")->status, 409,
		'no webhook');
	is($s->got("deliveries/$fourth")->json->{hook}, undef,
		'no webhook: shown');

	$s->done();
};

###############################################################################

subtest 'recover' => sub {
	my $s = WebhookTest::Store->new(zone => '1m log=4',
		hook => 'retry off;');
	my ($t, $r) = @$s{qw/ t r /};
	my $n = 150;

	$r->set('*' => { status => 400 });
	$t->run();
	$s->ended($n, size => 5000);

	my %ids = map { $_->[0] => 1 } $s->stored();

	is($s->did('hooks/ci/pause')->status, 200, 'paused');
	is($s->did('hooks/ci/recover?since=2199-01-01')->json->{count}, 0,
		'none that late');

	# more than the zone has room for

	my ($count, $rounds, $answer) = (0, 0);

	do {
		$answer = $s->did('hooks/ci/recover')->json;
		$count += $answer->{count};
		$s->on_disk(waiting => $count);
	} while ($answer->{more} && ++$rounds < 100);

	is($count, $n, 'all that failed') and note("$rounds rounds more");
	is($s->did('hooks/ci/recover')->json->{count}, 0, 'once');

	$t->crash();
	$r->forget();
	$r->set('*' => { status => 204 });
	$t->run();

	is($s->did('hooks/ci/resume')->status, 200, 'resumed');

	my @got = $r->wait_requests($n, 30);
	is(@got, $n, 'all arrive');
	is($s->doubles(@got), '', 'no UUID twice');
	is(scalar(grep { $ids{$_->header('X-Webhook-Delivery')} } @got), $n,
		'those that failed');
	is(scalar(grep { $_->header('X-Webhook-Attempt') == 2 } @got), $n,
		'as second attempts');
	ok($s->on_disk(waiting => 0), 'ended');
	is($s->sql('SELECT count(*) FROM deliveries'), $n, 'no row twice');

	$s->done();
};

###############################################################################

# what fails once more meanwhile is left for another call

subtest 'recover, refused again' => sub {
	my $s = WebhookTest::Store->new(zone => '8m log=4', workers => 1,
		hook => 'retry off;');
	my ($t, $r) = @$s{qw/ t r /};
	my $n = 300;

	$r->set('*' => { status => 400 });
	$t->run();
	$s->ended($n);
	ok($s->on_disk(waiting => 0), 'failed');

	is($s->did('hooks/ci/recover')->json->{count}, $n, 'all that failed');
	ok($r->wait_requests(2 * $n, 30), 'sent');
	is(@{[ $r->requests() ]}, 2 * $n, 'each once more');

	$s->done();
};

done_testing();

###############################################################################
