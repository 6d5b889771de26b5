package WebhookTest::Store;

# An nginx with webhook_store, an API whose executions a test moves, and a
# receiver:
#
#	my $s = WebhookTest::Store->new(sync => 'full', zone => '8m',
#		hook => 'retry 1s;', store => 'keep=1s');
#	my ($t, $up, $r) = @$s{qw/ t up r /};
#	$s->configure(hooks => 'webhook ...', server => 'location ...',
#		http => '...', main => '... outside http')
#
#	$s->status(ID, STATUS, launch => 1)	# one sighting; size => bytes
#	$s->sql(TEXT)				# by the sqlite3 of the shell
#	$s->on_disk(waiting => N)		# true when so many wait there
#	$s->rows(N, WHERE)			# the same of rows of any kind
#	$s->ended(N, size => bytes)		# sends N, e1 ..., to their end
#	$s->fill(PAGES)				# so many has the file then, used up
#	$s->stored				# [uuid, execution], by the latter
#	$s->uuid(HEX)
#	$s->got(PATH), did(PATH)		# GET and POST of webhook_status
#	$s->list(QUERY)				# deliveries
#	$s->names, doubles, disorder (REQUESTS): what came, as text
#	$s->of(NAME, REQUESTS)			# of executions named so
#	$s->holder				# the worker that writes
#	$s->locked(PID)				# it is, of whatever master
#	$s->done

###############################################################################

use warnings;
use strict;

use base qw/ Exporter /;

use Test::More ();

use WebhookTest;

our @EXPORT = qw/ store_available /;

###############################################################################

sub store_available {
	my $t = WebhookTest->new();
	my ($ok, $said) = $t->test_config('webhook_store %%TESTDIR%%/store;');

	return $ok || $said !~ /is not available/;
}

sub new {
	my ($class, %o) = @_;

	my $t = WebhookTest->new(workers => $o{workers} || 2,
		daemon => $o{daemon} || 0);

	my $self = bless {
		t => $t,
		up => $t->upstream('up'),
		r => $t->receiver('ci'),
		dir => $t->dir() . '/store',
		sync => $o{sync} || 'full',
		zone => $o{zone} || '8m',
		store => $o{store} || '',
		hook => $o{hook} || '',
		hooks => $o{hooks} || '',
		http => $o{http} || '',
		server => $o{server} || '',
		main => $o{main} || '',
	}, $class;

	$self->configure();

	return $self;
}

sub configure {
	my ($self, %o) = @_;

	$self->{$_} = $o{$_} for keys %o;

	my $store = $self->{store} eq 'none' ? ''
		: "webhook_store $self->{dir} sync=$self->{sync}"
			. " $self->{store};";

	$self->{t}->http_config(<<"EOF", main => $self->{main});

webhook_zone zone=webhooks:$self->{zone};
$store
$self->{http}

webhook_defaults { events EXECUTION; }

webhook_api test {
    id          /id;
    execution   "";
    state       /status;
    states      LAUNCHED queued;
    states      STARTED running;
    states      FINISHED done;

    route POST /jobs  { launch; }
    route GET  /jobs  { }
}

server {
    listen 127.0.0.1:%%PORT_0%%;
    server_name localhost;
    proxy_ignore_client_abort on;

    location / {
        webhook_observe test;
        proxy_pass %%URL_up%%;

        webhook ci { url %%URL_ci%%/ci; $self->{hook} }
        $self->{hooks}
    }

    location /hooks/ { webhook_status write=on; }

    $self->{server}
}

EOF
}

sub status {
	my ($self, $id, $status, %o) = @_;

	my $doc = { id => $id, status => $status };

	$doc->{text} = 'x' x $o{size} if $o{size};

	$self->{up}->set('/jobs' => { status => 200, json => $doc });

	return $o{launch} ? $self->{t}->post('/jobs', '{}')
		: $self->{t}->get('/jobs');
}

sub sql {
	my ($self, $text, @options) = @_;

	open my $f, '-|', 'sqlite3', '-batch', '-cmd', '.timeout 10000',
		@options, "$self->{dir}/webhooks.db", $text or die "sqlite3: $!\n";
	my $said = do { local $/; <$f> };
	close $f;

	chomp $said if defined $said;

	return $said;
}

sub on_disk {
	my ($self, %o) = @_;

	return wait_for {
		my $n = $self->sql(
			'SELECT count(*) FROM deliveries WHERE ended = 0');

		defined $n && $n eq $o{waiting}
	} 20;
}

# a small zone has room for what comes between two commits

sub rows {
	my ($self, $n, $where) = @_;

	return wait_for {
		($self->sql('SELECT count(*) FROM deliveries'
			. ($where ? " WHERE $where" : '')) || 0) == $n
	} 30;
}

sub ended {
	my ($self, $n, %o) = @_;

	for my $i (1 .. $n) {
		$self->status("e$i", 'queued', launch => 1, size => $o{size});
		$self->rows($i, 'ended > 0') if $o{size} && $i % 5 == 0;
	}

	Test::More::ok($self->{r}->wait_requests($n, 30), 'all are sent');
	Test::More::ok($self->rows($n, 'ended > 0'), 'all are on disk');
}

# by what never gives way

sub fill {
	my ($self, $pages) = @_;

	my $left = $pages - $self->sql('PRAGMA page_count')
		+ $self->sql('PRAGMA freelist_count');

	$self->sql('INSERT INTO payloads SELECT max(id) + 1000000,'
		. ' zeroblob(' . ($left - 8) * 4092 . ') FROM payloads');

	return $left;
}

sub stored {
	my ($self) = @_;

	return map { [ $self->uuid($_->[0]), $_->[1] ] }
		map { [ split /\|/ ] }
		split /\n/, $self->sql('SELECT lower(hex(uuid)), execution'
			. ' FROM deliveries ORDER BY execution');
}

# requests of executions whose ids begin so

sub of {
	my ($self, $name, @requests) = @_;

	return grep { $_->json()->{execution}{id} =~ /^\Q$name\E/ } @requests;
}

sub uuid {
	my ($self, $hex) = @_;

	return join '-', unpack 'a8 a4 a4 a4 a12', $hex;
}

sub got {
	my ($self, $path) = @_;

	return $self->{t}->get("/hooks/$path");
}

sub did {
	my ($self, $path) = @_;

	return $self->{t}->post("/hooks/$path", '',
		headers => [ 'X-Webhook-Write' => 1 ]);
}

sub list {
	my ($self, $query) = @_;

	return json($self->got("deliveries?$query")->body())->{deliveries};
}

sub names {
	my ($self, @requests) = @_;

	return join ' ', map {
		my $p = $_->json();
		"$p->{execution}{id}/$p->{event}"
	} @requests;
}

sub doubles {
	my ($self, @requests) = @_;

	my %n;
	$n{$_->header('X-Webhook-Delivery')}++ for @requests;

	return join ' ', grep { $n{$_} > 1 } sort keys %n;
}

# of each execution, first attempts, by the order of arrival

sub disorder {
	my ($self, @requests) = @_;

	my (%last, @bad);

	for my $q (@requests) {
		my $id = $q->path() . ' ' . $q->json()->{execution}{id};
		my $n = $q->header('X-Webhook-Sequence');

		next if $q->header("X-Webhook-Attempt") > 1;

		push @bad, "$id:$n" if $n < ($last{$id} || 0);
		$last{$id} = $n;
	}

	return join ' ', @bad;
}

sub holder {
	my ($self) = @_;

	return wait_for {
		my $inode = (stat "$self->{dir}/lock")[1] || 0;
		my ($pid) = read_file('/proc/locks')
			=~ /FLOCK\s+ADVISORY\s+WRITE\s+(\d+)\s+\S+:$inode\s/;

		$pid && (grep { $_ == $pid } $self->{t}->worker_pids()) && $pid
	};
}

# whether a process has the lock

sub locked {
	my ($self, $pid) = @_;

	my $inode = (stat "$self->{dir}/lock")[1] || 0;

	return read_file('/proc/locks')
		=~ /FLOCK\s+ADVISORY\s+WRITE\s+$pid\s+\S+:$inode\s/;
}

sub done {
	my ($self) = @_;

	return $self->{t}->done();
}

###############################################################################

1;

###############################################################################
