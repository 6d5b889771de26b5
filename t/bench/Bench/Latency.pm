package Bench::Latency;

# From the last byte of the API's answer to the first byte of the delivery at
# the receiver; one program on the other core plays both, and the client.  And
# how long a client waits for that answer, beside the same unobserved, at the
# same rate; for that of a poll, in turns by chance with polls unobserved; and
# for one unobserved while a queue is emptied as fast as can be.

###############################################################################

use warnings;
use strict;

use WebhookTest;
use Bench;
use Bench::Queue;

###############################################################################

# [what it is, URI, bytes]

my @polls = (
	[ 'polls of 1 KB', '/polled/job', 1000 ],
	[ 'polls of 6 KB', '/polled/job', 6100 ],
	[ 'polls of 66 KB', '/polled/job', 67600 ],
	[ 'polls of 6 KB, these unobserved, too', '/plain/job', 6100 ],
);

sub run {
	my ($class, $servers) = @_;

	my $api = $servers->free_port('latencyapi');
	my $receiver = $servers->free_port('latencyreceiver');
	my @kinds = ([ 'builtin', 'built-in' ], [ 'via', 'via' ]);
	my @stores = ('', 'full');
	my %text = ('' => 'store off', full => 'store full');
	my %s;

	for my $store (@stores) {
		my $conf = $servers->server(join '',
			"    location /plain/ { proxy_pass http://api; }\n",
			map { location($_->[0], $receiver) } @kinds,
				[ 'polled' ]);

		# they are this program's

		$conf =~ s/%%SINK%%/$receiver/;
		$conf =~ s/%%API%%/$api/;

		$s{$store} = $servers->nginx($conf,
			$store ? (store => $store) : ());
	}

	my (@run, @rows);
	my @rates = (100, 5000);

	for my $rate (@rates) {
		push @run, "plain, $rate" => sub {
			measure($s{''}, 'plain', $api, 0, $rate);
		};
	}

	for my $store (@stores) {
		for my $kind (@kinds) {
			for my $rate (@rates) {
				my ($name, $words) = @$kind;
				my $row = "$words, $text{$store}, $rate/s";

				push @rows, [ $row, "plain, $rate" ];
				push @run, $row => sub {
					measure($s{$store}, $name, $api,
						$receiver, $rate);
				};
			}
		}
	}

	for (@polls) {
		my ($text, $uri, $size) = @$_;

		push @run, $text => sub {
			poll($s{''}, $uri, $api, $size);
		};
	}

	$s{queue} = $servers->nginx($servers->server(join '',
		"    location /plain/ { proxy_pass http://127.0.0.1:$api; }\n",
		map { $servers->location($_, 1, $_ eq 'via') }
			map { $_->[0] } @kinds));

	my @queues = ([ 'nothing waits' ], map { [ "a queue is emptied,"
		. " $_->[1]", $_->[0] ] } @kinds);

	for (@queues) {
		my ($text, $name) = @$_;

		push @run, $text => sub {
			emptied($s{queue}, $name, $api);
		};
	}

	my $r = rounds(@run);

	report "### From the API's last byte to the delivery's first\n\n";

	table([ 'one worker on one core', 'p50, us', 'p99, us' ], map {
		my ($row) = @$_;
		[ $row, map { microseconds(middle($r, $row, $_)) }
			qw/ p50 p99 / ]
	} @rows);

	report "### A client's wait, every answer an event, over unobserved at"
		. " the same rate\n\n";

	table([ 'one worker on one core', 'unobserved p50, us',
		'observed p50, us', 'p50', 'p99' ], map {
		my ($row, $plain) = @$_;
		[ $row, map({ microseconds(middle($r, $_, 'a50')) }
			$plain, $row),
			map { as_ratio(ratio($r, $row, $_, $plain)) }
			qw/ a50 a99 / ]
	} @rows);

	report "### A client's wait, polls of a state that does not change, in"
		. " turns by chance with polls unobserved\n\n";

	table([ '5,000/s, one worker on one core', 'unobserved p50, us',
		'observed p50, us', 'p50', 'p99' ], map {
		my ($row) = @$_;
		[ $row, map({ microseconds(middle($r, $row, $_)) }
			qw/ b50 a50 /),
			map { as_ratio(middle($r, $row, $_)) } qw/ r50 r99 / ]
	} @polls);

	report "### A client's wait while a queue is emptied as fast as can be\n\n";

	table([ '2,000/s, unobserved, one worker on one core', 'p50, us',
		'p99, us' ], map {
		my ($row) = @$_;
		[ $row, map { microseconds(middle($r, $row, $_)) }
			qw/ a50 a99 / ]
	} @queues);

	$servers->drop($_) for values %s;
}

sub location {
	my ($name, $receiver) = @_;

	my $through = $name eq 'via' ? 'via @sink;' : '';

	return <<"EOF";
    location /$name/ {
        proxy_pass http://api;
        webhook_observe launch jobs realm=$name;
        webhook $name { url http://127.0.0.1:$receiver/; $through }
    }
EOF
}

sub measure {
	my ($s, $name, $api, $receiver, $rate) = @_;

	my ($n, $p50, $p99, $longest, $a50, $a99) = split ' ', output(far(
		repo('build/bench/latency'), $s->port(0), "/$name/launch",
		$api, $receiver, $rate,
		$rate < 1000 && seconds() < 1 ? 1 : seconds()));

	return { p50 => $p50, p99 => $p99, a50 => $a50, a99 => $a99 };
}

# what waits is more than is sent meanwhile

sub emptied {
	my ($s, $name, $api) = @_;

	return measure($s, 'plain', $api, 0, 2000) unless $name;

	act($s, 'pause', "${name}1");
	fill($s, "/$name/600/launch", 600, 120000 * seconds());
	act($s, 'resume', "${name}1");

	my $r = measure($s, 'plain', $api, 0, 2000);

	die "$name: nothing waits\n" if !hook($s, "${name}1")->{waiting};
	wait_drained($s, time(), "${name}1");

	return $r;
}

# a hundredth of what a machine does within a second is too little

sub poll {
	my ($s, $uri, $api, $size) = @_;

	my %r;

	(undef, undef, undef, undef, @r{qw/ a50 a99 b50 b99 /}) = split ' ',
		output(far(repo('build/bench/latency'), $s->port(0), $uri,
			$api, 0, 5000, 3 * seconds(), $size, '/plain/job'));

	return { %r, map { ("r$_" => $r{"a$_"} / $r{"b$_"}) } 50, 99 };
}

###############################################################################

1;
