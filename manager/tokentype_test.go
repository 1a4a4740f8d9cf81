package manager

import "testing"

func TestTokenTypes(t *testing.T) {
	for name, want := range map[string]struct{ foreign, valid bool }{
		"":                         {false, false},
		"Bearer":                   {false, true},
		"DPoP":                     {false, true},
		"bot":                      {false, true},
		"Zoho-oauthtoken":          {false, true},
		"BearerToken":              {false, true},
		"Application Access Token": {false, false},
		"Bearer\x1b[2J":            {false, false},
		"Bearér":                   {false, false},
		"mac":                      {true, true},
		"MAC":                      {true, true},
		"PoP":                      {true, true},
		"N_A":                      {true, true},
		"Basic":                    {true, true},
		"Digest":                   {true, true},
		"SCRAM-SHA-256":            {true, true},
		"Negotiate":                {true, true},
	} {
		if foreign, valid := UnsendableType(name), validType(name); foreign != want.foreign || valid != want.valid {
			t.Errorf("%q: got foreign %v, valid %v, want %v", name, foreign, valid, want)
		}
	}
}
