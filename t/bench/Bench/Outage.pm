package Bench::Outage;

# An endpoint is away for a while, and much waits for it: how long after its
# return the last one has come, beside a queue that was paused as long (with
# LONG); and what a waiting delivery takes of the zone and of the store.

###############################################################################

use warnings;
use strict;

use Time::HiRes qw/ time /;

use WebhookTest;
use Bench;
use Bench::Queue;

###############################################################################

sub run {
	my ($class, $servers) = @_;

	outages($servers) if long();
	memory($servers);
}

sub outages {
	my ($servers) = @_;

	my $n = waiting();
	my $away = 60;
	my @stores = qw/ off full /;
	my %took;

	report "### After an outage of $away s, 600 bytes, $n waiting\n\n";

	for my $store (@stores) {
		my $late = WebhookTest->new(workers => 1, connections => 8192);
		@{ $late->{modules} } = ();
		$late->http_config("access_log off;\n"
			. "keepalive_requests 1000000000;\nserver {\n"
			. "listen 127.0.0.1:%%PORT_0%% backlog=4096;\n"
			. "location / { return 204; }\n}\n");
		push @{ $servers->{all} }, $late;

		my $s = $servers->nginx($servers->server(
			location('away', $late->port(0))
			. location('paused', '%%SINK%%')),
			$store eq 'off' ? () : (store => $store));

		$took{$store} = [ outage($servers, $s, $late, $n, $away) ];

		$servers->drop($_) for $s, $late;
	}

	table([ 'built-in', 'back to the last, s', 'the same paused, s',
		'ratio' ], map {
			my ($back, $paused) = @{ $took{$_} };
			[ "store $_", sprintf('%.1f', $back),
				sprintf('%.1f', $paused),
				as_ratio($paused && $back / $paused) ]
	} @stores);
}

sub memory {
	my ($servers) = @_;

	my $n = waiting();

	report "### Memory of a waiting delivery\n\n";

	table([ 'payload', 'in the zone, bytes', 'in the store, bytes' ], map {
		my ($size, $text) = @$_;
		[ $text, map { per_second(taken($servers, $size, $n, $_)) }
			qw/ off full / ]
	} [ '600', '600 bytes' ], [ '6k', '6 KB' ]);
}

sub outage {
	my ($servers, $s, $late, $n, $away) = @_;

	fill($s, '/away/600/launch', '600', $n);

	my $until = time() + $away;
	wait_for { time() >= $until } $away + 10;

	die "away: it has come\n" if hook($s, 'away')->{delivered};

	my $start = time();
	$late->run();
	wait_drained($s, $start, 'away');
	my $back = time() - $start;

	act($s, 'pause', 'paused');
	fill($s, '/paused/600/launch', '600', $n);

	$start = time();
	act($s, 'resume', 'paused');
	wait_drained($s, $start, 'paused');

	return ($back, time() - $start);
}

sub taken {
	my ($servers, $size, $n, $store) = @_;

	my $s = $servers->nginx($servers->server(
		location('paused', '%%SINK%%')),
		$store eq 'off' ? () : (store => $store));

	act($s, 'pause', 'paused');

	my $before = used($s, $store);
	fill($s, "/paused/$size/launch", $size, $n);

	my $count = hook($s, 'paused')->{waiting};

	wait_for {
		metric($s, 'store_deliveries{status="waiting"}') == $count
	} 60
		or die "store: not all are there\n" if $store ne 'off';

	my $bytes = (used($s, $store) - $before) / $count;

	$servers->drop($s);

	return $bytes;
}

sub used {
	my ($s, $store) = @_;

	return metric($s, $store eq 'off' ? 'zone_use_bytes{use="queue"}'
		: 'store_use_bytes{use="rows"}');
}

sub metric {
	my ($s, $name) = @_;

	my $metrics = $s->get('/status/metrics', timeout => 60)->body;

	return $metrics =~ /^nginx_webhook_\Q$name\E (\S+)/m ? $1
		: die "no $name\n";
}

sub location {
	my ($name, $port) = @_;

	return <<"EOF";
    location /$name/ {
        proxy_pass http://api/;
        webhook_observe launch realm=$name;
        webhook $name { url http://127.0.0.1:$port/; }
    }
EOF
}

###############################################################################

1;
