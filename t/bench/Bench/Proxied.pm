package Bench::Proxied;

# What observing costs the proxied path: requests a second, and their times, of
# an observed location over the same one unobserved, in adjacent short rounds;
# the proxy has one core, who asks and who answers share the other.

###############################################################################

use warnings;
use strict;

use WebhookTest;
use Bench;
use Bench::Queue;

###############################################################################

# [what it is, URI beside, URI, POSTs, what a request in twenty is beside and
# here]

my @rows = (
	[ 'polls of 1 KB, unchanged', '/plain/1k/job', '/idle/1k/job' ],
	[ 'polls of 6 KB, unchanged', '/plain/6k/job', '/idle/6k/job' ],
	[ 'polls of 66 KB, unchanged', '/plain/66k/job', '/idle/66k/job' ],
	[ 'polls of 6 KB, others launched, sent', '/plain/6k/job',
		'/live/6k/job', 0, '/plain/one/launch', '/live/one/launch' ],
	[ 'the same, endpoint dead', '/plain/6k/job',
		'/dead/6k/job', 0, '/plain/one/launch', '/dead/one/launch' ],
	[ 'the same, endpoint hanging', '/plain/6k/job',
		'/hang/6k/job', 0, '/plain/one/launch', '/hang/one/launch' ],
	[ 'every answer an event, kept', '/plain/one/launch',
		'/kept/one/launch', 1 ],
	[ 'every answer an event, sent', '/plain/one/launch',
		'/live/one/launch', 1 ],
);

sub run {
	my ($class, $servers) = @_;

	my $s = $servers->nginx($servers->server(join '',
		"    location /plain/ { proxy_pass http://api/; }\n",
		location('idle', 'url http://127.0.0.1:%%SINK%%/;'),
		location('kept', 'url http://127.0.0.1:%%SINK%%/; via @sink;'),
		location('live', 'url http://127.0.0.1:%%SINK%%/; via @sink;'),
		location('dead', 'url http://127.0.0.1:%%DEAD%%/;'
			. ' queue 10000;'),
		location('hang', 'url http://127.0.0.1:%%HANG%%/;'
			. ' queue 10000;')), zone => '2048m');

	my ($pid) = $s->worker_pids();
	my (@run, %beside);

	my $load = sub {
		my ($uri, $posts, $other) = @_;

		local $ENV{OTHER} = $other;
		delete local $ENV{OTHER} unless $other;
		local $ENV{BODY} = $servers->body('one');
		delete local $ENV{BODY} unless $posts;

		act($s, 'pause', 'kept') if $uri =~ m!^/kept!;

		my $before = cpu($pid);
		my $r = wrk($s->url($uri), \&far);
		$r->{cpu} = (cpu($pid) - $before) / $r->{requests};

		act($s, 'resume', 'kept') if $uri =~ m!^/kept!;

		wait_drained($s, time(), $_)
			for $uri =~ m!/(kept|live)/! ? $1 : ();

		return $r;
	};

	for (@rows) {
		my ($text, $plain, $uri, $posts, $other, $ours) = @$_;

		push @run, "$text, beside" => sub {
			$load->($plain, $posts, $other);
		}, $text => sub {
			$load->($uri, $posts, $ours);
		};
	}

	# what is looked for is less than what a machine swings by within seconds

	local @ENV{qw/ ROUNDS DURATION /} = (4 * Bench::how_often(),
		seconds() / 4) if long();

	my $r = rounds(@run);

	report '### The proxied path, observed over unobserved, medians of ',
		Bench::how_often(), " rounds\n\n";

	table([ 'one worker on one core', 'unobserved/s', 'observed/s',
		'rate', 'CPU time', 'p50', 'p99', 'p99.9' ], map {
			my ($text) = @$_;
			my $plain = "$text, beside";

			[ $text, per_second(middle($r, $plain, 'rate')),
				per_second(middle($r, $text, 'rate')),
				map { as_ratio(ratio($r, $text, $_, $plain)) }
				qw/ rate cpu p50 p99 p99.9 / ]
	} @rows);

	$servers->drop($s);
}

sub location {
	my ($name, $hook) = @_;

	return <<"EOF";
    location /$name/ {
        proxy_pass http://api/;
        webhook_observe launch jobs realm=$name;
        webhook $name { $hook }
    }
EOF
}

###############################################################################

1;
