package Bench::Servers;

# The servers of "make bench": a receiver and an API (one nginx without the
# module, on one core), and those that send (on the other).
#
#	new: with the receiver and the API running
#	nginx (CONF, main => , modules => [], store => sync, zone => ,
#		log => , connections => ): another nginx, on the sender's core
#	sender (off|normal|full): one of the usual configuration, by what
#		its store is, started at first use
#	server (LOCATIONS), location (NAME, HOOKS, VIA, TLS): for a CONF;
#		%%SINK%%, %%TLS%%, %%API%% and so on stand for ports
#	url (sink|tls|api, URI); body (SIZE): a file with a payload; ca: of
#		the receiver's certificate
#	drop (NGINX): it is not needed any more; stop: all of them

###############################################################################

use warnings;
use strict;

use WebhookTest;
use Bench;

###############################################################################

my %length = (600 => 600, '6k' => 6000);

# of the payload of a launched execution, but its name

my $rest = length '{"type":"EXECUTION","event":"LAUNCHED","execution":'
	. '{"id":"0123456789abcdef0123456789abcdef-1000","name":""}}';

# executions in a response

my %executions = (600 => 200, '6k' => 40, short => 1000, few => 20, one => 1);

sub executions { $executions{$_[1]} }

sub new {
	my ($class) = @_;
	my $self = bless { senders => {} }, $class;

	my $p = WebhookTest->new(workers => 1, connections => 8192);
	@{ $p->{modules} } = ();

	$self->{peer} = $p;
	$self->{all} = [ $p ];
	$self->{cert} = $p->cert('receiver');

	$self->files();

	$p->http_config($self->expand(<<'EOF'), main => affinity(1));
access_log off;
keepalive_requests 1000000000;
open_file_cache max=100;

server {
    listen 127.0.0.1:%%SINK%% backlog=4096;
    location / { return 204; }
}

server {
    listen 127.0.0.1:%%TLS%% ssl backlog=4096;
    ssl_certificate     %%CERT%%;
    ssl_certificate_key %%KEY%%;
    location / { return 204; }
}

server {
    listen 127.0.0.1:%%API%% backlog=4096;

    # a static file answers GET alone
    error_page 405 =200 $uri;

    # other executions each time
    location ~ /launch$ {
        sub_filter @@ $request_id;
        sub_filter_once off;
        sub_filter_types *;
    }
}
EOF

	$p->run();

	return $self;
}

sub files {
	my ($self) = @_;

	my $p = $self->{peer};
	my %job = ('1k' => 960, '6k' => 6080, '66k' => 67500);

	mkdir $p->dir . "/html/$_" for keys %job, keys %executions;

	$p->file("html/$_/job", '{"id":"j","status":"running","x":"'
		. ('x' x $job{$_}) . '"}') for keys %job;

	for my $size (keys %executions) {
		my $name = 'n' x (($length{$size} || $rest) - $rest);

		$p->file("html/$size/launch", '{"jobs":[' . join(',', map {
			sprintf '{"id":"@@-%d","name":"%s"}', 999 + $_, $name
		} 1 .. $executions{$size}) . ']}');

		$p->file("body.$size", '{"type":"EXECUTION",'
			. '"event":"LAUNCHED","execution":{"id":"'
			. ('0' x 37) . "\",\"name\":\"$name\"}}");
	}
}

sub affinity {
	my ($core) = @_;

	return '' if Bench::cores() < 2;
	return 'worker_cpu_affinity ' . ($core ? '10' : '01') . ";\n";
}

sub expand {
	my ($self, $text) = @_;
	my ($p, $cert) = @{ $self }{qw/ peer cert /};

	$self->{hang} ||= $p->blackhole() if $text =~ /%%HANG%%/;

	my %w = (
		SINK => $p->port('sink'), TLS => $p->port('tls'),
		API => $p->port('api'), DEAD => $p->port('dead'),
		HANG => $self->{hang}, CA => $cert->{ca},
		CERT => $cert->{cert}, KEY => $cert->{key},
	);

	$text =~ s/%%(\w+)%%/exists $w{$1} ? $w{$1} : "%%$1%%"/ge;

	return $text;
}

sub url {
	my ($self, $name, $uri) = @_;

	return ($name eq 'tls' ? 'https://localhost:' : 'http://127.0.0.1:')
		. $self->{peer}->port($name) . $uri;
}

sub dir { $_[0]{peer}->dir }
sub free_port { $_[0]{peer}->port($_[1]) }
sub body { return $_[0]{peer}->dir . "/body.$_[1]" }
sub ca { $_[0]{cert}{ca} }

sub nginx {
	my ($self, $conf, %o) = @_;

	my $s = WebhookTest->new(workers => 1, connections => 8192);
	# Debian's, with Debian's modules

	if ($o{modules}) {
		@{ $s->{modules} } = @{ $o{modules} };
		$s->{binary} = '/usr/sbin/nginx';
	}

	push @{ $self->{all} }, $s;
	$s->{stores} = $o{store};

	my $module = $o{modules} ? '' : 'webhook_zone zone=bench:'
		. ($o{zone} || '1024m') . ' log=' . ($o{log} || 100) . ";\n"
		. 'webhook_connections ' . ($o{connections} || 1024) . ";\n";

	$module .= "webhook_store store sync=$o{store} size=8192m;\n"
		if $o{store};

	$s->http_config("access_log off;\nkeepalive_requests 1000000000;\n"
		. $module . $self->expand($conf),
		main => affinity(0) . "pcre_jit on;\n" . ($o{main} || ''));

	return $s->run();
}

###############################################################################

my $http = <<'EOF';
webhook_api launch {
    each /jobs/*;
    id /id;
    execution "";
    route POST ~/launch$ { launch; }
}

webhook_api jobs {
    id /id;
    execution "";
    state /status;
    states FINISHED done;
    route GET ~/job$ { }
}

upstream sink {
    server 127.0.0.1:%%SINK%%;
    keepalive 2048;
}

upstream tls {
    server 127.0.0.1:%%TLS%%;
    keepalive 2048;
}

upstream api {
    server 127.0.0.1:%%API%%;
    keepalive 256;
}

webhook_defaults {
    secret         whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw;
    signature      standard;
    events         LAUNCHED;
    queue          2000000;
    max_in_flight  64;
    ssl_trusted_certificate %%CA%%;
}

proxy_http_version 1.1;
proxy_set_header Connection "";
proxy_ignore_client_abort on;
EOF

sub server {
	my ($self, $locations) = @_;

	# what users include, but of another authority

	my $trusting = read_file(repo('conf/webhook/via.conf'))
		=~ s/(proxy_ssl_trusted_certificate) .*/$1 %%CA%%;/r;

	return $http . <<"EOF";
server {
    listen 127.0.0.1:%%PORT_0%% backlog=4096;
    server_name localhost;

    location \@sink {
        include %%CONF%%/webhook/via.conf;
        proxy_pass http://sink;
    }

    location \@tls {
        $trusting
        proxy_pass https://tls;
    }

    location /status/ {
        webhook_status write=on;
    }

$locations
}
EOF
}

sub location {
	my ($self, $name, $hooks, $via, $tls) = @_;

	my $url = $tls ? 'https://localhost:%%TLS%%/'
		: 'http://127.0.0.1:%%SINK%%/';
	my $through = !$via ? '' : $tls ? 'via @tls;' : 'via @sink;';

	# as many in flight, all together

	my $places = $hooks <= 1 ? '' : 'max_in_flight '
		. ($hooks < 64 ? int(64 / $hooks) : 1) . ';';

	my @hooks = map { "webhook $name$_ { url $url; $through $places }" }
		1 .. $hooks;

	# none that wants these

	@hooks = "webhook $name { url $url; events PING; }" unless $hooks;

	return "    location /$name/ {\n        proxy_pass http://api/;\n"
		. "        webhook_observe launch realm=$name;\n        "
		. join("\n        ", @hooks) . "\n    }\n";
}

sub sender {
	my ($self, $store) = @_;

	return $self->{senders}{$store} ||= $self->nginx($self->server(
		join '', $self->location('builtin', 1),
		$self->location('via', 1, 1),
		$self->location('builtintls', 1, 0, 1),
		$self->location('viatls', 1, 1, 1),
		$self->location('manybuiltin', 100),
		$self->location('manyvia', 100, 1)),
		$store eq 'off' ? () : (store => $store));
}

# it is no test that has failed in between

sub drop {
	my ($self, $s) = @_;

	$s->stop();
	$s->cleanup();
	$s->{done} = 1;

	@{ $self->{all} } = grep { $_ != $s } @{ $self->{all} };
}

sub stop {
	my ($self) = @_;

	$self->drop($_) for reverse @{ $self->{all} };
}

###############################################################################

1;
