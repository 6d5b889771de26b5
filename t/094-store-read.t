#!/usr/bin/perl

# What the status endpoint no longer finds in the zone it reads from the store.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;
use WebhookTest::Store;

###############################################################################

store_available() or plan skip_all => 'built without webhook_store';

my %write = (headers => [ 'X-Webhook-Write' => 1 ]);

sub got { $_[0]{t}->get("/hooks/$_[1]") }
sub did { $_[0]{t}->post("/hooks/$_[1]", '', %write) }

sub list {
	my ($s, $query) = @_;

	return json(got($s, "deliveries?$query")->body())->{deliveries};
}

# true when the store has so many rows; a small zone has room for what comes
# between two commits

sub rows {
	my ($s, $n, $where) = @_;

	return wait_for {
		($s->sql('SELECT count(*) FROM deliveries'
			. ($where ? " WHERE $where" : '')) || 0) == $n
	} 30;
}

# ends N deliveries of a zone that keeps few of them

sub ended {
	my ($s, $n, %o) = @_;

	for my $i (1 .. $n) {
		$s->status("e$i", 'queued', launch => 1, size => $o{size});
		rows($s, $i, 'ended > 0') if $o{size} && $i % 5 == 0;
	}

	ok($s->{r}->wait_requests($n, 30), 'all are sent');
	ok(rows($s, $n, 'ended > 0'), 'all are on disk');
}

# what the store has, oldest first: uuid, execution

sub stored {
	my ($s) = @_;

	return map { [ split /\|/ ] } split /\n/, $s->sql(
		'SELECT lower(hex(uuid)), execution FROM deliveries ORDER BY seq');
}

sub uuid {
	my ($hex) = @_;

	return join '-', unpack 'a8 a4 a4 a4 a12', $hex;
}

###############################################################################

subtest 'one delivery' => sub {
	my $s = WebhookTest::Store->new(zone => '8m log=2');
	my ($t, $r) = @$s{qw/ t r /};

	$t->run();
	ended($s, 6);

	my ($last) = @{ list($s, 'execution=e6') };
	my @rows = stored($s);
	my $known = json(got($s, "deliveries/$last->{uuid}")->body());

	my $old = got($s, 'deliveries/' . uuid($rows[0][0]));
	is($old->status, 200, 'found in the store');

	my $d = $old->json;
	is($d->{uuid}, uuid($rows[0][0]), 'uuid');
	is($d->{execution}, 'e1', 'execution');
	is($d->{hook}, 'ci', 'hook');
	is($d->{status}, 'delivered', 'status');
	is($d->{code}, 204, 'code');
	is($d->{attempt_count}, 1, 'number of attempts');
	is(@{ $d->{attempts} }, 1, 'attempts');
	is($d->{attempts}[0]{code}, 204, 'attempt');
	is($d->{response}{code}, 204, 'response');
	is($d->{request}{payload}, ($r->requests())[0]->body(), 'payload');
	is($d->{request}{headers}{'X-Webhook-Delivery'}, $d->{uuid},
		'request headers');
	is($d->{timestamp}, ($r->requests())[0]->header('X-Webhook-Time'),
		'time');

	for (qw/ request response /) {
		is_deeply([ sort keys %{ $d->{$_} } ],
			[ sort keys %{ $known->{$_} } ], "members of $_");
	}

	is_deeply([ sort keys %$d ], [ sort keys %$known ], 'members');
	is_deeply([ sort keys %{ $d->{attempts}[0] } ],
		[ sort keys %{ $known->{attempts}[0] } ], 'members of attempts');

	is($t->head('/hooks/deliveries/' . uuid($rows[0][0]))->status, 200,
		'HEAD');
	is(got($s, 'deliveries/01234567-89ab-8def-8123-456789abcdef')->status,
		404, 'in neither');
	is(got($s, 'deliveries/nonsense')->status, 404, 'no uuid');

	# two requests on one connection, many at once

	my $c = $t->connect();

	for my $row (@rows) {
		is($c->request('GET', '/hooks/deliveries/' . uuid($row->[0]))
			->json->{execution}, $row->[1], "$row->[1]: kept alive");
	}

	# a client that does not wait

	for (1 .. 20) {
		my $gone = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
			PeerPort => $t->port(0));

		syswrite $gone, "GET /hooks/deliveries/" . uuid($rows[0][0])
			. " HTTP/1.1\r\nHost: localhost\r\n\r\n";
		close $gone;
	}

	is(got($s, 'deliveries/' . uuid($rows[1][0]))->status, 200,
		'clients that leave');

	# after a restart its attempts are in the store alone

	$r->set('*' => { status => 503 });
	$s->configure(hook => 'retry 1h;');
	ok($t->reload(), 'reload');
	$s->status('w', 'queued', launch => 1);
	ok($s->on_disk(waiting => 1), 'one waits');
	ok(rows($s, 1, 'ended = 0 AND tries = 1'), 'tried');

	$t->stop();
	$t->run();

	my ($w) = @{ list($s, 'execution=w') };
	$d = got($s, "deliveries/$w->{uuid}")->json;
	is($d->{status}, 'waiting', 'restarted: waiting');
	is($d->{attempt_count}, 1, 'restarted: one attempt');
	is(@{ $d->{attempts} }, 1, 'restarted: attempts');
	is($d->{attempts}[0]{code}, 503, 'restarted: attempt');

	# the file is gone, damaged

	my $name = "$s->{dir}/webhooks.db";
	rename $name, "$name.away";
	is(got($s, 'deliveries/' . uuid($rows[0][0]))->status, 503, 'no file');
	is(got($s, "deliveries/$w->{uuid}")->status, 200, 'no file: zone');

	rename "$name.away", $name;
	is(got($s, 'deliveries/' . uuid($rows[0][0]))->status, 200, 'and again');

	# a worker that exits answers first

	$t->signal('QUIT');
	ok($t->wait_gone(10), 'exits');

	$s->done();
};

###############################################################################

# A list read page by page: each of the deliveries there were at its beginning
# comes once, wherever it is, whatever comes meanwhile.

my $new = 0;

sub walk {
	my ($s, $query, $limit, $known, $want) = @_;

	my (@got, %n, $after, $pages, $wrong, $last);

	for (;;) {
		my $uri = "/hooks/deliveries?limit=$limit"
			. ($query ? "&$query" : '')
			. ($after ? "&after=$after" : '');
		my $page = json($s->{t}->get($uri)->body());

		for my $d (@{ $page->{deliveries} }) {
			$n{$d->{uuid}}++;
			$wrong .= " order" if $last && $d->{cursor} >= $last;
			$last = $d->{cursor};
			push @got, $d->{uuid} if $known->{$d->{uuid}};
		}

		$wrong .= ' limit' if @{ $page->{deliveries} } > $limit;
		$wrong .= ' incomplete' if $page->{incomplete};

		$after = $page->{next};
		last if !defined $after || ++$pages > 1000;

		$s->status('new' . $new++, 'queued', launch => 1)
			if $pages % 3 == 0;
	}

	my $name = "limit=$limit $query";

	is_deeply(\@got, $want, "$name: each in its place")
		or diag(scalar(@got) . ' of ' . scalar(@$want));
	is(join(' ', grep { $n{$_} > 1 } keys %n), '', "$name: none twice");
	is($wrong, undef, "$name: pages");
}

subtest 'pages' => sub {
	my $s = WebhookTest::Store->new(zone => '1m log=4',
		hook => 'retry off;', hooks => <<'EOF');
        webhook bad { url %%URL_ci%%/bad; retry off; }
        webhook slow { url %%URL_ci%%/slow; }
EOF
	my ($t, $r) = @$s{qw/ t r /};

	$r->set('/bad' => { status => 400 });
	$t->run();
	is(did($s, 'hooks/slow/pause')->status, 200, 'one webhook is paused');

	my $n = 60;

	for my $i (1 .. $n) {
		$s->status("e$i", 'queued', launch => 1, size => 5000);
		$s->status("e$i", 'running', size => 5000);
		rows($s, 6 * $i) if $i % 3 == 0;
	}

	ok($r->wait_requests(4 * $n, 30), 'sent');

	my $all = 'SELECT lower(hex(uuid)), name, event, status, execution,'
		. ' d.time FROM deliveries d JOIN hooks h ON h.id = d.hook'
		. ' ORDER BY seq DESC';
	my @rows;

	ok(wait_for(sub {
		@rows = map { [ split /\|/ ] } split /\n/, $s->sql($all) || '';
		@rows == 6 * $n && 4 * $n == grep { $_->[3] } @rows
	}, 20), 'all are on disk')
		or diag($s->sql('SELECT status, tries, count(*) FROM deliveries'
			. ' GROUP BY 1, 2'));

	$_->[0] = uuid($_->[0]) for @rows;
	my %known = map { $_->[0] => 1 } @rows;

	ok(json(got($s, '')->body())->{store}{spilled}, 'some wait there alone');

	my ($from, $to) = map { $rows[$_][5] } 4 * $n, 2 * $n;

	my @walks = (
		[ '', 7, 100 ],
		[ 'hook=ci', 10, sub { $_[1] eq 'ci' } ],
		[ 'hook=slow', 50, sub { $_[1] eq 'slow' } ],
		[ 'event=STARTED', 20, sub { $_[2] == 2 } ],
		[ 'event=PING,UPDATED', 20, sub { 0 } ],
		[ 'status=failed', 20, sub { $_[3] == 3 } ],
		[ 'status=waiting,delivered', 33, sub { $_[3] != 3 } ],
		[ 'status=expired', 5, sub { 0 } ],
		[ 'execution=e7', 1, sub { $_[4] eq 'e7' } ],
		[ 'execution=e7&hook=bad&event=STARTED', 1,
			sub { "@_[1, 2, 4]" eq 'bad 2 e7' } ],
		[ 'execution=none', 10, sub { 0 } ],
		[ "since=$from&until=$to", 15,
			sub { $_[5] >= $from && $_[5] <= $to } ],
		[ "hook=bad&status=failed&until=$to", 15,
			sub { $_[1] eq 'bad' && $_[5] <= $to } ],
	);

	for my $restart (0, 1) {

		if ($restart) {
			$t->stop();
			$t->run();
			note('and after a restart');
		}

		for (@walks) {
			my ($query, @limits) = @$_;
			my $match = ref $limits[-1] ? pop @limits : sub { 1 };
			my @want = map { $_->[0] } grep { $match->(@$_) } @rows;

			walk($s, $query, $_, \%known, \@want) for @limits;
		}
	}

	# the zone alone, if need be

	rename "$s->{dir}/webhooks.db", "$s->{dir}/away";
	my $page = json(got($s, 'deliveries?limit=100')->body());
	ok($page->{incomplete}, 'no file: incomplete');
	ok(@{ $page->{deliveries} }, 'no file: those of the zone');
	rename "$s->{dir}/away", "$s->{dir}/webhooks.db";

	$s->done();
};

###############################################################################

subtest 'deliver again' => sub {
	my $s = WebhookTest::Store->new(zone => '8m log=2',
		hook => 'retry off;');
	my ($t, $r) = @$s{qw/ t r /};

	$t->run();
	ended($s, 6);

	my @rows = stored($s);
	my ($first, $second, $third) = map { uuid($rows[$_][0]) } 0 .. 2;
	my $payload = ($r->requests())[0]->body();

	my $again = did($s, "deliveries/$first/redeliver");
	is($again->status, 202, 'again');
	is($again->json->{uuid}, $first, 'uuid');

	my @got = $r->wait_requests(7);
	is($got[6]->header('X-Webhook-Delivery'), $first, 'the same UUID');
	is($got[6]->header('X-Webhook-Attempt'), 2, 'a new attempt');
	is($got[6]->body(), $payload, 'the same payload');

	my $d;
	ok(wait_for(sub {
		$d = got($s, "deliveries/$first")->json;
		$d->{status} eq 'delivered'
	}), 'delivered');
	is(@{ $d->{attempts} }, 2, 'two attempts');
	is($d->{attempts}[1]{code}, 204, 'the second');
	is(list($s, '')->[0]{uuid}, $first, 'the newest now');

	ok(rows($s, 1, "execution = 'e1' AND tries = 2 AND ended > 0"),
		'on disk');
	ok(rows($s, 1, "execution = 'e1'"), 'one row');
	is($s->sql('SELECT count(*) FROM attempts a JOIN deliveries d'
		. " ON d.id = a.id WHERE execution = 'e1'"), 2, 'both attempts');

	# it waits through a restart

	$r->set('*' => { status => 503 });
	$s->configure(hook => 'retry 1h;');
	ok($t->reload(), 'reload');

	is(did($s, "deliveries/$second/redeliver")->status, 202, 'again');
	ok($r->wait_requests(8), 'tried');
	ok($s->on_disk(waiting => 1), 'waits');
	ok(rows($s, 1, 'ended = 0 AND tries = 2'), 'tried, on disk');

	is(did($s, "deliveries/$second/redeliver")->status, 409, 'not ended');

	$t->crash();
	$r->forget();
	$r->set('*' => { status => 204 });
	$s->configure(hook => 'retry 1s;');
	$t->run();

	is(did($s, 'hooks/ci/resume')->status, 200, 'resume');
	@got = $r->wait_requests(1);
	is($got[0]->header('X-Webhook-Delivery'), $second, 'after a crash');
	is($got[0]->header('X-Webhook-Attempt'), 3, 'the third attempt');
	ok($s->on_disk(waiting => 0), 'ended');

	# what cannot be

	my @patient = ('-cmd', '.timeout 10000');

	$s->sql('DELETE FROM payloads WHERE id = (SELECT id FROM deliveries'
		. " WHERE execution = 'e3')", @patient);

	my $none = did($s, "deliveries/$third/redeliver");
	is($none->status, 409, 'no payload');
	is($none->header('Content-Type'), 'application/problem+json',
		'no payload: a problem');
	is(got($s, "deliveries/$third")->json->{request}{payload}, undef,
		'no payload: shown');

	is(did($s, 'deliveries/01234567-89ab-8def-8123-456789abcdef/redeliver')
		->status, 404, 'unknown');

	$s->sql("UPDATE deliveries SET hook = 1 WHERE execution = 'e4'",
		@patient);
	is(did($s, 'deliveries/' . uuid($rows[3][0]) . '/redeliver')->status,
		409, 'no webhook');
	is(got($s, 'deliveries/' . uuid($rows[3][0]))->json->{hook}, undef,
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
	ended($s, $n, size => 5000);

	my %ids = map { uuid($_->[0]) => 1 } stored($s);

	is(did($s, 'hooks/ci/pause')->status, 200, 'paused');
	is(did($s, 'hooks/ci/recover?since=2199-01-01')->json->{count}, 0,
		'none that late');

	# more than the zone has room for

	my ($count, $rounds, $answer) = (0, 0);

	do {
		$answer = did($s, 'hooks/ci/recover')->json;
		$count += $answer->{count};
		$s->on_disk(waiting => $count);
	} while ($answer->{more} && ++$rounds < 100);

	is($count, $n, 'all that failed') and note("$rounds rounds more");
	is(did($s, 'hooks/ci/recover')->json->{count}, 0, 'once');

	$t->crash();
	$r->forget();
	$r->set('*' => { status => 204 });
	$t->run();

	is(did($s, 'hooks/ci/resume')->status, 200, 'resumed');

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

done_testing();

###############################################################################
