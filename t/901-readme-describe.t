#!/usr/bin/perl

# README.md, "Describing a new API": its commands, run as they stand, say what
# it shows, and what it shows of real requests is so.

###############################################################################

use warnings;
use strict;

use Test::More;

use WebhookTest;

###############################################################################

my $t = WebhookTest->new(workers => 1);
my $up = $t->upstream('up');
my $r = $t->receiver('r');

my ($page) = read_file(repo('README.md'))
	=~ /^## Describing a new API\n(.*?)^## /ms;

my %api = $page =~ /<!-- test: http (\w+) -->\n```nginx\n(.*?)^```$/gms;

is(join(' ', sort keys %api), 'builds draft', 'descriptions');

my @steps = steps();
my $config = 0;

mkdir my $dir = $t->dir() . '/shell';

# each command runs under the description that stands before it

for my $step (@steps) {
	configured($step->{api}) if $step->{api};

	traffic() if $step->{sh} =~ m!/observed!;

	my $said = run($step->{sh});

	next unless defined $step->{json};

	my $shown = json($step->{json});
	my $real = json($said);

	is_deeply(part($real, $shown), $shown, "said: $step->{sh}")
		or diag($said);
}

is(scalar(grep { defined $_->{json} } @steps), 4, 'outputs');

# every reason has its line

my ($source) = read_file(repo('src/ngx_http_webhook_metrics.c'))
	=~ /webhook_reasons\[.*?\] = \{(.*?)\};/s;

my %reason = map { $_ => 1 } map { /`([^`]+)`/g } $page =~ /^\| (`.*?) \|/gm;

is_deeply([ sort keys %reason ], [ sort $source =~ /\{ "([^"]+)"/g ],
	'reasons');

$t->done();

###############################################################################

sub steps {
	my (@steps, $api);

	while ($page =~ /(?:<!--[ ]test:[ ]http[ ](\w+)[ ]-->\n```nginx\n.*?^```$)
		|(?:^```sh\n(.*?)^```$)|(?:^```json\n(.*?)^```$)/gmsx)
	{
		if ($1) {
			$api = $1;

		} elsif ($2) {
			push @steps, { sh => $2, api => $api };
			undef $api;

		} else {
			$steps[-1]{json} = $3;
		}
	}

	return @steps;
}

sub configured {
	my ($name) = @_;

	$t->http_config(<<"EOC");

$api{$name}

server {
    listen 127.0.0.1:%%PORT_0%%;

    location /ci/ {
        proxy_pass %%URL_up%%;
        proxy_ignore_client_abort on;
        webhook_observe builds;
        webhook ci { url %%URL_r%%/; }
    }
}

server {
    listen 127.0.0.1:%%PORT_s%%;
    server_name localhost;
    location / { webhook_status write=on; }
}

EOC

	ok($config++ ? $t->reload() : $t->run(), "with $name");
}

sub traffic {
	my %file = map { ($_ => read_file("$dir/$_.json")) } qw/ launch poll /;

	$up->set('/ci/builds' => { status => 202, body => $file{launch} },
		'/ci/builds/7' => { body => $file{poll} },
		'/ci/builds/7/log' => { body => 'compiling ...' });

	$t->post('/ci/builds', '{}');
	$t->get("/ci/builds/$_") for '7', '7/log';
}

sub run {
	my ($command) = @_;

	my $port = $t->port('s');
	$command =~ s/localhost:8081/127.0.0.1:$port/;
	$command =~ s/curl /curl -H 'Host: localhost' /;

	my ($status, $said) = $t->output('sh', '-c', "cd $dir\n$command");

	is($status, 0, "runs: $command") or diag($said);

	return $said;
}

# what of a value another one shows

sub part {
	my ($real, $shown) = @_;

	if (ref $real eq 'HASH' && ref $shown eq 'HASH') {
		return { map { ($_ => part($real->{$_}, $shown->{$_})) }
			grep { exists $real->{$_} } keys %$shown };
	}

	if (ref $real eq 'ARRAY' && ref $shown eq 'ARRAY') {
		return [ map { part($real->[$_], $shown->[$_]) } 0 .. $#$real ];
	}

	return $real;
}

###############################################################################
