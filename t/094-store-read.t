#!/usr/bin/perl

# What the status endpoint no longer finds in the zone it reads from the store.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;
use WebhookTest::Faults;
use WebhookTest::Store;

###############################################################################

store_available() or plan skip_all => 'built without webhook_store';

###############################################################################

subtest 'one delivery' => sub {
	my $s = WebhookTest::Store->new(zone => '8m log=2');
	my ($t, $r) = @$s{qw/ t r /};

	$t->run();
	$s->ended(6);

	my ($last) = @{ $s->list('execution=e6') };
	my @rows = $s->stored();
	my ($sent) = $s->of('e1', $r->requests());
	my $known = json($s->got("deliveries/$last->{uuid}")->body());

	my $old = $s->got('deliveries/' . $rows[0][0]);
	is($old->status, 200, 'found in the store');

	my $d = $old->json;
	is($d->{uuid}, $rows[0][0], 'uuid');
	is($d->{execution}, 'e1', 'execution');
	is($d->{hook}, 'ci', 'hook');
	is($d->{status}, 'delivered', 'status');
	is($d->{code}, 204, 'code');
	is($d->{attempt_count}, 1, 'number of attempts');
	is(@{ $d->{attempts} }, 1, 'attempts');
	is($d->{attempts}[0]{code}, 204, 'attempt');
	is($d->{response}{code}, 204, 'response');
	is($d->{request}{payload}, $sent->body(), 'payload');
	is($d->{request}{headers}{'X-Webhook-Delivery'}, $d->{uuid},
		'request headers');
	is($d->{timestamp}, $sent->header('X-Webhook-Time'), 'time');

	for (qw/ request response /) {
		is_deeply([ sort keys %{ $d->{$_} } ],
			[ sort keys %{ $known->{$_} } ], "members of $_");
	}

	is_deeply([ sort keys %$d ], [ sort keys %$known ], 'members');
	is_deeply([ sort keys %{ $d->{attempts}[0] } ],
		[ sort keys %{ $known->{attempts}[0] } ], 'members of attempts');

	is($t->head('/hooks/deliveries/' . $rows[0][0])->status, 200,
		'HEAD');
	is($s->got('deliveries/01234567-89ab-8def-8123-456789abcdef')->status,
		404, 'in neither');
	is($s->got('deliveries/nonsense')->status, 404, 'no uuid');

	# two requests on one connection, many at once

	my $c = $t->connect();

	for my $row (@rows) {
		is($c->request('GET', '/hooks/deliveries/' . $row->[0])
			->json->{execution}, $row->[1], "$row->[1]: kept alive");
	}

	# a client that does not wait

	for (1 .. 20) {
		my $gone = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
			PeerPort => $t->port(0));

		syswrite $gone, "GET /hooks/deliveries/" . $rows[0][0]
			. " HTTP/1.1\r\nHost: localhost\r\n\r\n";
		close $gone;
	}

	is($s->got('deliveries/' . $rows[1][0])->status, 200,
		'clients that leave');

	# after a restart its attempts are in the store alone

	$r->set('*' => { status => 503 });
	$s->configure(hook => 'retry 1h;');
	ok($t->reload(), 'reload');
	$s->status('w', 'queued', launch => 1);
	ok($s->on_disk(waiting => 1), 'one waits');
	ok($s->rows(1, 'ended = 0 AND tries = 1'), 'tried');

	$t->stop();
	$t->run();

	my ($w) = @{ $s->list('execution=w') };
	$d = $s->got("deliveries/$w->{uuid}")->json;
	is($d->{status}, 'waiting', 'restarted: waiting');
	is($d->{attempt_count}, 1, 'restarted: one attempt');
	is(@{ $d->{attempts} }, 1, 'restarted: attempts');
	is($d->{attempts}[0]{code}, 503, 'restarted: attempt');
	is($d->{error}, undef, 'restarted: no error');

	# nor why the latest one had no answer

	$r->set('*' => { drop => 'reset' });
	$s->status('v', 'queued', launch => 1);
	ok($s->rows(2, 'ended = 0 AND tries = 1'), 'tried in vain');

	my ($v) = @{ $s->list('execution=v') };
	is($v->{error}, 'reset', 'its error');

	$t->stop();
	$t->run();

	is($s->list('execution=v')->[0]{error}, 'reset',
		'restarted: the error in the list');
	$d = $s->got("deliveries/$v->{uuid}")->json;
	is($d->{error}, 'reset', 'restarted: of the delivery');
	is($d->{attempts}[0]{error}, 'reset', 'restarted: as of its attempt');

	# the file is gone, damaged

	my $name = "$s->{dir}/webhooks.db";
	rename $name, "$name.away";
	is($s->got('deliveries/' . $rows[0][0])->status, 503, 'no file');
	is($s->got("deliveries/$w->{uuid}")->status, 200, 'no file: zone');

	rename "$name.away", $name;
	is($s->got('deliveries/' . $rows[0][0])->status, 200, 'and again');

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
	is($s->did('hooks/slow/pause')->status, 200, 'one webhook is paused');

	my $n = 60;

	for my $i (1 .. $n) {
		$s->status("e$i", 'queued', launch => 1, size => 5000);
		$s->status("e$i", 'running', size => 5000);
		$s->rows(6 * $i) if $i % 3 == 0;
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

	$_->[0] = $s->uuid($_->[0]) for @rows;
	my %known = map { $_->[0] => 1 } @rows;

	ok(json($s->got('')->body())->{store}{spilled}, 'some wait there alone');

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

	# the zone alone, if need be; who writes may see it, too

	$t->allow(qr/was (?:removed|replaced) while it was in use/);
	rename "$s->{dir}/webhooks.db", "$s->{dir}/away";
	my $page = json($s->got('deliveries?limit=100')->body());
	ok($page->{incomplete}, 'no file: incomplete');
	ok(@{ $page->{deliveries} }, 'no file: those of the zone');
	rename "$s->{dir}/away", "$s->{dir}/webhooks.db";

	$s->done();
};

###############################################################################

# Many rows, whose numbers have gaps; few match.

subtest 'many' => sub {
	my $s = WebhookTest::Store->new(store => 'keep=100d');
	my ($t, $r) = @$s{qw/ t r /};

	$t->run();
	$s->ended(1);
	$t->stop();

	my $n = 60000;
	my ($hook, $seq) = split /\|/,
		$s->sql('SELECT hook, seq FROM deliveries');

	$s->sql(<<"EOF");
BEGIN;
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < $n)
INSERT INTO deliveries
SELECT i, $seq - 100000000000 + i + (i / 20000) * 10000000000, randomblob(16),
$hook, randomblob(16), 1 + i % 4, 1, 1000 * i, 'many' || (i / 4), 1000 * i,
1000 * i, strftime('%s') * 1000, CASE WHEN i % 15000 = 7 THEN 3 ELSE 2 END,
1, 1, 0, 204, 5 FROM c;
UPDATE deliveries SET uuid = (SELECT uuid FROM deliveries WHERE id = 30000)
WHERE id = 15007;
UPDATE deliveries SET uuid = (SELECT uuid FROM deliveries WHERE id = 15007)
WHERE id = 30007;
COMMIT;
EOF
	my ($uuid) = map { $s->uuid($_) } $s->sql('SELECT lower(hex(uuid)) FROM'
		. ' deliveries WHERE id = 30000');

	$t->run();

	my @expected = (
		[ 'status=failed', 'many11251 many7501 many1' ],
		[ 'status=failed&hook=ci', 'many11251 many7501 many1' ],
		[ 'status=failed&limit=1', 'many11251 many7501 many1' ],
		[ 'status=expired', '' ],
		[ 'execution=many1', 'many1 many1 many1 many1' ],
		[ 'execution=many14999&limit=3',
			'many14999 many14999 many14999 many14999' ],
		[ 'until=5000', 'many1 many1 many0 many0 many0' ],
		[ 'since=60000000&execution=many15000', 'many15000' ],
	);

	for (@expected) {
		my ($query, $want) = @$_;
		my ($after, $pages, @got) = ('', 0);

		do {
			my $page = $s->got("deliveries?$query$after")->json;
			push @got, map { $_->{execution} }
				@{ $page->{deliveries} };
			$after = $page->{next} && "&after=$page->{next}";
		} while ($after && ++$pages < 1000);

		is("@got", $want, $query);
	}

	is($s->got("deliveries/$uuid")->json->{timestamp},
		'1970-01-01T08:20:07.000Z', 'of those with one UUID the newest');

	$s->done();
};

# Rows far apart, so that looking for a newer one with the same UUID takes long:
# the page ends, and the next goes on.

subtest 'far apart' => sub {
	my $s = WebhookTest::Store->new(store => 'keep=100d');
	my $t = $s->{t};

	$t->run();
	$s->ended(1);
	$t->stop();

	my ($hook, $seq) = split /\|/,
		$s->sql('SELECT hook, seq FROM deliveries');

	$s->sql(<<"EOF");
BEGIN;
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 6000)
INSERT INTO deliveries
SELECT i, $seq - 100000000000 + i * 4096, randomblob(16),
$hook, randomblob(16), 1, 1, 1000 * i, 'far' || i, 1000 * i,
1000 * i, strftime('%s') * 1000, 2, 1, 1, 0, 204, 5 FROM c;
UPDATE deliveries SET uuid = (SELECT uuid FROM deliveries d
WHERE d.id = deliveries.id + 5000) WHERE id <= 20;
COMMIT;
EOF
	$t->run();

	my ($after, $pages, @got) = ('', 0);

	do {
		my $page = $s->got("deliveries?until=80000$after")->json;
		push @got, map { $_->{execution} } @{ $page->{deliveries} };
		$after = $page->{next} && "&after=$page->{next}";
	} while ($after && ++$pages < 1000);

	is("@got", join(' ', map { "far$_" } reverse 21 .. 80), 'each once');

	$s->done();
};

###############################################################################

# who asks is not left waiting by a disk that does not answer, and may go

subtest 'no answer' => sub {
	WebhookTest::Faults::available()
		or plan skip_all => 'neither under a sanitizer nor linked in';

	my $s = WebhookTest::Store->new(zone => '8m log=2', workers => 1);
	my $t = $s->{t};
	my $f = WebhookTest::Faults->new($t);

	$t->run();
	$s->ended(6);

	my ($row) = $s->stored();
	my $path = "deliveries/$row->[0]";
	my ($pid) = $t->worker_pids();
	my %disk = (pid => $pid, kinds => SYSCALL, nth => 1, every => 1,
		only => 'open64', hold => 1);

	is($s->got($path)->status, 200, 'in the store');

	# who goes

	$f->arm(%disk);

	my $c = $t->connect();
	$c->send_request('GET', "/hooks/$path");
	ok(wait_for(sub { $f->held() }), 'the disk does not answer');

	my $next = $t->connect();
	$next->send_request('GET', "/hooks/$path");

	$c->close();
	ok(wait_for(sub { $t->access_log() =~ /" 499 / }), 'a client goes');
	is($t->get('/hooks/metrics')->status, 200, 'the others go on');

	$f->disarm();
	is($next->read_response('GET')->status, 200, 'the next one is answered');

	# who waits

	$t->mark_log();
	$f->arm(%disk);

	$c = $t->connect(undef, timeout => 30);
	$c->send_request('GET', "/hooks/$path");
	is($c->read_response('GET')->status, 503, 'it is said');
	ok($t->grep_log(qr/webhook_store \S+ cannot be read: no answer/), 'logged');

	$f->disarm();
	is($s->got($path)->status, 200, 'and again');
	ok($t->alive($pid), 'the worker lives');

	$s->done();
};

done_testing();

###############################################################################
