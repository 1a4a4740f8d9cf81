package contender

import "example.com/tokenactor/manager"

// Equal tokens, had at one moment, are renewed at one moment as well.
var unjittered = Contender{
	Name:      "tokenactor-unjittered",
	About:     "as tokenactor, with Policy.Jitter off: renewals in step",
	Module:    "example.com/tokenactor",
	Yardstick: true,
	Open:      func(Job) (any, error) { return fleet{jitter: -1}, nil },
}

// A fleet is how programs with a Manager each are set up. It can do nothing else.
type fleet struct{ jitter float64 }

// Fleet gives the Config of each program.
func (f fleet) Fleet() manager.Config {
	return manager.Config{Policy: manager.Policy{Jitter: f.jitter}}
}

// Fleet gives the Config of each program of a fleet: the defaults.
func (m *managed) Fleet() manager.Config { return fleet{}.Fleet() }
