package record

import (
	"crypto/aes"
	"crypto/cipher"
)

// nonceSize is that of XAES-256-GCM: 192 bits.
const nonceSize = 24

// xaes returns, for each nonce, the AES-256-GCM to use with it and the 96 bits that
// are its own nonce: XAES-256-GCM as c2sp.org/XAES-256-GCM specifies it, a CMAC of
// the nonce's first half being the key.
//
// Plain AES-256-GCM with random nonces of 96 bits is good for 2^32 records a key
// (NIST SP 800-38D section 8.3). A million credentials renewed every hour, each
// renewal two writes, pass that in three months, and then a repeated nonce may give
// tokens away. 192 bits last for 2^80. A counter would do as well, but not in a
// store that was restored from a backup or is shared by machines. HKDF with a salt
// for each record is the same idea, and takes nearly four times as long.
//
// The key hides in a closure, where neither fmt nor reflection looks.
func xaes(key []byte) func(nonce []byte) (cipher.AEAD, []byte) {
	block := newAES(key)
	var k1 [aes.BlockSize]byte // the CMAC subkey of a whole last block (NIST SP 800-38B)
	block.Encrypt(k1[:], k1[:])
	carry := -(k1[0] >> 7)
	for i := range len(k1) - 1 {
		k1[i] = k1[i]<<1 | k1[i+1]>>7
	}
	k1[len(k1)-1] = k1[len(k1)-1]<<1 ^ carry&0x87

	return func(nonce []byte) (cipher.AEAD, []byte) {
		var derived [2 * aes.BlockSize]byte
		for i := range 2 {
			half := derived[i*aes.BlockSize:][:aes.BlockSize]
			half[1], half[2] = byte(i+1), 'X' // counter, label, a zero, context
			copy(half[4:], nonce)             // its first 12 bytes
			for j := range half {
				half[j] ^= k1[j]
			}
			block.Encrypt(half, half)
		}
		gcm, err := cipher.NewGCM(newAES(derived[:]))
		if err != nil {
			panic(err) // of another block size only
		}
		return gcm, nonce[nonceSize-gcm.NonceSize():]
	}
}

func newAES(key []byte) cipher.Block {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // of another key size only
	}
	return block
}
