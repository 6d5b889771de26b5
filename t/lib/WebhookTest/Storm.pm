package WebhookTest::Storm;

# What storms have in common: receivers' bad manners, and a client that does
# not give up.
#
#	use WebhookTest::Storm;			# exports behaviours
#	my $c = WebhookTest::Storm->new($t);
#	$c->request('GET', '/uri')		# true once it is answered 200
#	$c->barrier('/uri')			# what the worker does after its
#						# answers is done

###############################################################################

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT = qw/ behaviours /;

###############################################################################

# those that a receiver had better not have, and good ones

sub behaviours {
	return (
		{ status => 204 }, { status => 204 }, { status => 500 },
		{ status => 429, headers => { 'Retry-After' => '0.3' } },
		{ drop => 'hang' }, { drop => 'reset' }, { drop => 'close' },
		{ status => 200, size => 300000 },
		{ status => 200, size => 5000, piece => 10, gap => 20 },
		{ status => 200, size => 5000, truncate => 100,
			then => 'close' },
		{ raw => "garbage\n\n", then => 'close' },
		{ status => 204, stale => 1 }, { status => 204, delay => 200 },
	);
}

sub new {
	my ($class, $t) = @_;

	return bless { t => $t }, $class;
}

# until there is an answer, as clients do

sub request {
	my ($self, $method, $uri) = @_;

	for (1 .. 200) {
		$self->{c} ||= eval { $self->{t}->connect() };

		my $response = $self->{c} && eval {
			$self->{c}->request($method, $uri,
				body => $method eq 'POST' ? '{}' : undef)
		};

		return 1 if $response && $response->status == 200
			&& $response->complete;

		delete $self->{c};
	}

	return 0;
}

# a worker looks at a response after it has sent it, and before the next one

sub barrier {
	my ($self, $uri) = @_;

	$self->request('GET', $uri);
	delete $self->{c};
}

###############################################################################

1;

###############################################################################
