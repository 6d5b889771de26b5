#!/usr/bin/perl

# A storm with a store and a fixed seed: workers are killed, and everything at
# once; nginx is reloaded, and another binary follows it; receivers answer as
# badly as they can, name servers are silent, certificates are not trusted, the
# disk is full.  In the end every event that a complete response announced has
# arrived, each under one id, but for what was not on disk when everything was
# killed.  STORM=SECONDS and SEED=N make it longer, and another one ("make
# storm").

###############################################################################

use warnings;
use strict;

use List::Util qw/ shuffle /;
use Test::More;
use Time::HiRes qw/ time /;

use WebhookTest;
use WebhookTest::Storm;
use WebhookTest::Store;

###############################################################################

store_available() or plan skip_all => 'built without webhook_store';

my $seconds = $ENV{STORM} || 6;
my $seed = $ENV{SEED} || 20;
my $sync = $seed % 2 ? 'normal' : 'full';

my $t = WebhookTest->new(workers => 3, daemon => 1);
my $r = $t->receiver('r');
my $dns = $t->dns('dns', names => { '*' => '127.0.0.1' });
my $cert = $t->cert('localhost');
my $s = $t->receiver('s', tls => $cert);
my $c = WebhookTest::Storm->new($t);

my @hooks = qw/ named steady tls via /;
my @events = (undef, qw/ LAUNCHED STARTED FINISHED /);
my $dir = $t->dir() . '/store';
my $trusted = $t->file('trusted.pem', read_file($cert->{ca}));
my $pad = 'x' x 500;

$t->http_config(<<"EOF");

webhook_zone zone=webhooks:4m;
webhook_store $dir sync=$sync keep=20s;

resolver %%HOST_dns%% valid=1s ipv6=off;
resolver_timeout 500ms;

webhook_api jobs {
    id        /id;
    execution "";
    state     /status;
    states    LAUNCHED queued;
    states    STARTED running;
    states    FINISHED done;

    route POST /api/launch { launch; }
    route GET /api/poll { }
}

webhook_defaults {
    timeout  1s;
    queue    100000;
    retry    100ms 200ms 200ms 200ms @{[ '2s ' x 26 ]};
    events   LAUNCHED STARTED FINISHED;
    secret   whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw;
}

server {
    listen 127.0.0.1:%%PORT_1%%;
    default_type application/json;

    location /api/ {
        return 200 '{"id":"\$arg_id","status":"\$arg_status","pad":"$pad"}';
    }
}

upstream r {
    server %%HOST_r%%;
    keepalive 8;
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;

    location \@r {
        include %%CONF%%/webhook/via.conf;
        proxy_pass http://r;
    }

    location /api/ {
        proxy_pass http://127.0.0.1:%%PORT_1%%;
        proxy_ignore_client_abort on;
        webhook_observe jobs;

        webhook named {
            url http://r.test:%%PORT_r%%/named;
        }

        webhook steady {
            url %%URL_r%%/steady;
        }

        webhook tls {
            url %%URL_s%%/tls;
            ssl_trusted_certificate $trusted;
        }

        webhook via {
            url %%URL_r%%/via;
            via \@r;
        }
    }

    location /status/ {
        webhook_status write=on;
    }
}

EOF

# the disk, if there may be one of our own

mkdir $dir;
my $disk = $> == 0 && !system("mount -t tmpfs -o size=1g,mode=700 none $dir"
	. ' 2>/dev/null');

END { unmount(); }

$t->run();

###############################################################################

srand $seed;

my ($n, $kills, $crashes, $excepted) = (0, 0, 0, 0);
my ($full, $behind, $began) = (0, 0, time());
my (%announced, @running, @killed, @ended, %count, @history, %steady);

my @behaviours = behaviours();

my %steps = (
	kill => sub {
		my @pids = $t->worker_pids() or return;
		$c->barrier('/api/poll?id=barrier&status=done');
		kill_one($pids[rand @pids]);
	},
	kill_writer => sub {
		my ($pid) = writer() or return;
		$c->barrier('/api/poll?id=barrier&status=done');
		kill_one($pid);
	},
	crash => sub { crash(0) if !$full || rand() < 0.3 },
	crash_when_stored => sub { crash(1) if !$full },
	reload => sub { $t->reload() },
	upgrade => sub { upgrade() if !$full && !behind() },
	behave => sub {
		$r->set("/$_" => $behaviours[rand @behaviours])
			for qw/ named via /;
		$s->set('/tls' => $behaviours[rand @behaviours]);
	},
	names => sub {
		$dns->set('*' => (qw/ silent nxdomain servfail 127.0.0.1 /)
			[rand 4]);
	},
	trust => sub { trust(rand() < 0.5) },
	disk => sub { fill(!$full) },
);

my @order;

while (time() < $began + $seconds || @order) {
	@order = shuffle(sort keys %steps) unless @order;

	my $step = shift @order;
	my $before = $r->requests;

	$count{$step}++;
	push @history, [ $step, time() ];
	$steps{$step}->();

	for (1 .. 8) {
		my $id = 'e' . $n++;

		announce($id, 'LAUNCHED') if $c->request('POST',
			"/api/launch?id=$id&status=queued");

		push @running, $id;
	}

	for my $id (splice @running, 0, int rand @running) {
		announce($id, 'STARTED') if $c->request('GET',
			"/api/poll?id=$id&status=running");
		announce($id, 'FINISHED') if $c->request('GET',
			"/api/poll?id=$id&status=done");
	}

	# something of it goes out before the weather changes

	wait_for { $r->requests > $before + 5 } 0.3;
}

note("seed $seed, sync=$sync: $n executions, $kills kills of a worker, "
	. "$crashes of all; $excepted deliveries were not on disk then; "
	. join(', ', map { "$_ $count{$_}" } sort keys %count));

# the sky clears

fill(0);
trust(1);
$dns->set('*' => '127.0.0.1');
$r->set("/$_" => { status => 204 }) for qw/ named via /;
$s->set('/tls' => { status => 204 });

$t->wait_workers();

my $drained = wait_for {
	my $all = eval { $t->get('/status/hooks')->json } or return;

	for my $h (grep { $_->{state} ne 'ok' } @{ $all->{hooks} }) {
		$t->post("/status/hooks/$h->{name}/resume", '',
			headers => [ 'X-Webhook-Write' => 1 ]);
	}

	$all->{store}{state} eq 'ok' && !$all->{store}{spilled}
		&& !grep { $_->{waiting} + $_->{in_flight} } @{ $all->{hooks} };
} 60;

ok($drained, 'everything is sent in the end')
	or diag($t->get('/status/hooks')->body);

my (%got, %ids);

for my $q ($r->requests, $s->requests) {
	my $p = eval { $q->json } or next;
	my $what = join ' ', $q->path, $p->{execution}{id}, $p->{event};
	my $id = $q->header('X-Webhook-Delivery');

	$got{$what}++;
	$ids{$what}{$id} = 1;

	push @{ $steady{$id} }, $q->time if $q->path eq '/steady';
}

for my $name (@hooks) {
	my @missing = grep { !$got{"/$name $_"} }
		grep { $announced{$_}{$name} } sort keys %announced;

	is("@missing[0 .. ($#missing < 4 ? $#missing : 4)]", '',
		"$name - all that was announced has arrived");
}

is((grep { keys %{ $ids{$_} } > 1 } keys %ids), 0, 'each under one id');

# of an endpoint that always answers well: twice only what was in flight, or
# not yet known on disk to have ended, when something was killed

my ($doubles, @wrong) = 0;

for my $id (sort keys %steady) {
	my ($first, @more) = sort { $a <=> $b } @{ $steady{$id} };

	for my $again (@more) {
		$doubles++;
		push @wrong, [ $id, $first, $again ]
			unless grep({ $first > $_->[0] - 0.5
				&& $first < $_->[1] && $again > $_->[0] }
				@killed) || unknown($id, $first, $again);
		$first = $again;
	}
}

note("$doubles of " . keys(%steady) . ' came twice');
is(@wrong, 0, 'twice only what was in flight at a kill')
	or diag(map { my ($id, $first, $again) = @$_;
		sprintf("%s %.3f s later; before each: %s\n", $id,
			$again - $first, join ' -- ', map { join ', ',
			before($_) } $first, $again) } @wrong);

# and never what the file said had ended, when everything was killed

my %again;

for my $q ($r->requests, $s->requests) {
	my $id = $q->header('X-Webhook-Delivery');

	$again{$id} = 1 if grep { $q->time > $_->[0]
		&& $_->[1]{$id =~ tr/-//dr} } @ended;
}

is(join(' ', sort keys %again), '', 'nothing that had ended comes again');

for my $h (@{ $t->get('/status/hooks')->json->{hooks} }) {
	is($h->{failed} + $h->{dropped} + $h->{expired}, 0,
		"$h->{name} - nothing was given up");
}

ok((wait_for {
	sql('SELECT count(*) FROM deliveries WHERE ended = 0') eq '0'
} 20), 'nothing waits on disk');
is(sql('PRAGMA integrity_check'), 'ok', 'the file is sound');

$t->zone_check();
$t->stop();
unmount();
$t->done();

###############################################################################

sub announce {
	my ($id, $event) = @_;

	$announced{"$id $event"} = { time => time(),
		map { $_ => 1 } @hooks };
}

sub sql {
	my ($text) = @_;

	my ($status, $said) = $t->output('sqlite3', '-batch', '-cmd',
		'.timeout 5000', "$dir/webhooks.db", $text);

	chomp $said;

	return $said;
}

# what is on disk: "execution event" => {webhook => 1}

sub stored {
	my %stored;

	for (split /\n/, sql('SELECT h.name, d.event, d.execution FROM'
		. ' deliveries d JOIN hooks h ON h.id = d.hook'))
	{
		my ($name, $event, $id) = split /\|/;
		$stored{"$id $events[$event]"}{$name} = 1 if $events[$event];
	}

	return \%stored;
}

# and what has arrived

sub arrived {
	my %arrived;

	for my $q ($r->requests, $s->requests) {
		my $p = eval { $q->json } or next;
		$arrived{"$p->{execution}{id} $p->{event}"}
			{ substr $q->path, 1 } = 1;
	}

	return \%arrived;
}

# neither of the two: [what, webhook]

sub unsafe {
	my ($stored, $arrived) = (stored(), arrived());
	my @unsafe;

	for my $what (sort keys %announced) {
		push @unsafe, map { [ $what, $_ ] } grep {
			$announced{$what}{$_} && !$stored->{$what}{$_}
				&& !$arrived->{$what}{$_}
		} @hooks;
	}

	return @unsafe;
}

# everything at once; what was announced and is not on disk then is excepted

sub crash {
	my ($when_stored) = @_;

	if ($when_stored) {
		ok((wait_for { !unsafe() } 20), 'all is on disk')
			or diag(join "\n", told(time(), unsafe()),
				history(time()), $t->get('/status/')->body());
	}

	behind();

	my $at = time();

	$t->crash();
	$crashes++;

	push @ended, [ time(), { map { $_ => 1 } split /\n/,
		sql('SELECT lower(hex(uuid)) FROM deliveries WHERE ended > 0') } ];

	my @unsafe = unsafe();
	my %lost;

	for (@unsafe) {
		my ($what, $name) = @$_;
		my ($id) = split / /, $what;

		$lost{$id} = 1;
		$excepted++;
	}

	if ($when_stored) {
		is(@unsafe, 0, 'nothing is lost when all was on disk');

	} elsif (!$full && !$behind) {
		my @old = grep { $announced{$_->[0]}{time} < $at - 2 } @unsafe;
		is(@old, 0, 'nothing but the latest is lost')
			or diag(join "\n", told($at, @old), history($at));
	}

	delete $announced{$_->[0]}{$_->[1]} for @unsafe;

	# an execution of which something is lost is no longer polled

	@running = grep { !$lost{$_} } @running;

	push @killed, [ $full || $at, $ended[-1][0] + 0.5 ];

	$t->run();
	$behind = 0;
}

# what came while the disk was full is written as fast as it may be

sub behind {
	$behind = 0 if $behind && !unsafe();

	return $behind;
}

# the one before need not have ended

sub upgrade {
	ok((wait_for { !$t->old_master_pid() } 20), 'one binary at a time');

	my $old = $t->master_pid();

	ok($t->upgrade(), 'another binary');

	kill 'QUIT', $old;
}

# whether the file did not say yet that it had ended, nor of any that came after
# it, but those that were in flight beside it, when everything was killed: what
# ends is written in that order, sooner or later

sub unknown {
	my ($id, $first, $again) = @_;

	my $plain = $id =~ tr/-//dr;

	return grep {
		my ($at, $ended) = @$_;

		$first < $at && $again > $at && !$ended->{$plain}
			&& 16 > grep { $steady{$_}[0] > $first
				&& $steady{$_}[0] < $at
				&& $ended->{tr/-//dr} } keys %steady;
	} @ended;
}

# for whoever has to find out

sub told {
	my ($at, @unsafe) = @_;

	return map { sprintf '%s for %s, %.3f s ago', @$_,
		$at - $announced{$_->[0]}{time} } @unsafe;
}

# the latest steps

sub before {
	my ($at) = @_;

	my @steps = grep { $_->[1] < $at } @history;

	return map { sprintf '%s %.3f', $_->[0], $at - $_->[1] }
		@steps > 4 ? @steps[-4 .. -1] : @steps;
}

sub history {
	my ($at) = @_;

	return map { sprintf '%s %.3f s ago', $_->[0], $at - $_->[1] }
		@history > 8 ? @history[-8 .. -1] : @history;
}

sub kill_one {
	my ($pid) = @_;

	push @killed, [ time(), 0 ];
	$t->kill_worker($pid, 'KILL');
	$killed[-1][1] = time() + 0.5;
	$kills++;
}

# the worker that has the lock of the store

sub writer {
	my $inode = (stat "$dir/lock")[1] or return;
	my ($pid) = read_file('/proc/locks')
		=~ /FLOCK\s+ADVISORY\s+WRITE\s+(\d+)\s+\S+:$inode\s/;

	return grep { $pid && $_ == $pid } $t->worker_pids();
}

sub trust {
	my ($yes) = @_;

	write_file($trusted, read_file($yes ? $cert->{ca} : $cert->{cert}));
	$t->reload();
}

sub unmount {
	system('umount', '-l', $dir) if $disk;
	$disk = 0;
}

# no room for one more page

sub fill {
	my ($yes) = @_;

	return unless $disk;

	# who was told to quit could not write what has ended

	ok((wait_for { !$t->old_master_pid() } 20), 'the old binary is gone') if $yes;

	my ($used) = `df -k --output=used $dir` =~ /(\d+)\s*$/;
	my $size = $yes ? $used . 'k' : '1g';

	# it may have grown meanwhile

	system("mount -o remount,size=$size $dir 2>/dev/null") == 0 or return;

	if ($yes) {
		$full ||= time();
		return;
	}

	ok((wait_for {
		my $all = eval { $t->get('/status/hooks')->json } or return;
		$all->{store}{state} eq 'ok'
	} 20), 'the store is well again') if $full;

	$behind ||= $full;
	$full = 0;
}

###############################################################################
