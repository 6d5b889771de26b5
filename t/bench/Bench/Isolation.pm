package Bench::Isolation;

# Ten webhooks have each event: what one of them, and the API's clients, see
# when four of the others are in trouble, beside the same with none.

###############################################################################

use warnings;
use strict;

use WebhookTest;
use Bench;

###############################################################################

my $rate = 500;

sub run {
	my ($class, $servers) = @_;

	my $api = $servers->free_port('isolationapi');
	my $receiver = $servers->free_port('isolationreceiver');

	my $bad = $servers->{peer}->receiver('trouble', rules => {
		'/hang' => { hold => 1 },
		'/drip' => { status => 200, size => 100000, piece => 1,
			gap => 20 },
	});

	my @trouble = ($bad->url('/hang'), $bad->url('/drip'),
		'http://127.0.0.1:%%DEAD%%/', 'http://webhook.invalid/');

	my @good = ('http://127.0.0.1:%%SINK%%/') x 4;
	my (%s, @run);

	for my $how (qw/ alone beside /) {
		$s{$how} = sender($servers, $api, $receiver,
			$how eq 'alone' ? @good : @trouble);

		push @run, $how => sub {
			my ($n, $p50, $p99, $longest, $a50, $a99)
				= split ' ', output(far(
				repo('build/bench/latency'), $s{$how}->port(0),
				'/api/launch', $api, $receiver, $rate,
				4 * seconds()));

			return { p50 => $p50, p99 => $p99, a50 => $a50,
				a99 => $a99 };
		};
	}

	my $r = rounds(@run);

	report "### Beside webhooks in trouble\n\n";

	table([ "$rate events/s to ten webhooks, built-in", 'all well, us',
		'four in trouble, us', 'ratio' ], map {
			my ($key, $text) = @$_;

			[ $text, map({ microseconds(middle($r, $_, $key)) }
				qw/ alone beside /),
				as_ratio(ratio($r, 'beside', $key, 'alone')) ]
		}
		[ p50 => 'delivery of another, p50' ],
		[ p99 => 'delivery of another, p99' ],
		[ a50 => q{API's answer, p50} ],
		[ a99 => q{API's answer, p99} ]);

	$servers->drop($_) for values %s;
}

sub sender {
	my ($servers, $api, $receiver, @urls) = @_;

	unshift @urls, "http://127.0.0.1:$receiver/",
		('http://127.0.0.1:%%SINK%%/') x 5;

	my $hooks = join "\n        ", map {
		"webhook hook$_ { url $urls[$_]; queue 1000; timeout 60s; }"
	} 0 .. $#urls;

	my $conf = $servers->server(<<"EOF");
    location /api/ {
        proxy_pass http://api;
        webhook_observe launch;
        $hooks
    }
EOF

	$conf =~ s/(upstream api \{\s+server 127\.0\.0\.1:)%%API%%/$1$api/;

	return $servers->nginx($conf);
}

###############################################################################

1;
