"""What Python's `unicodedata` does not know: the scripts of letters, and the signs that are not seen.

Made of Scripts-15.0.0.txt by `make_scripts`; each range is its first sign, its last, and its script.
"""

SCRIPTS = """
41-2e4:Latin 2ea-2eb:Bopomofo 370-3e1:Greek 3e2-3ef:Coptic 3f0-3ff:Greek 400-52f:Cyrillic 531-58f:Armenian
591-5f4:Hebrew 600-6ff:Arabic 700-74f:Syriac 750-77f:Arabic 780-7b1:Thaana 7c0-7ff:Nko 800-83e:Samaritan
840-85e:Mandaic 860-86a:Syriac 870-8ff:Arabic 900-97f:Devanagari 980-9fe:Bengali a01-a76:Gurmukhi a81-aff:Gujarati
b01-b77:Oriya b82-bfa:Tamil c00-c7f:Telugu c80-cf3:Kannada d00-d7f:Malayalam d81-df4:Sinhala e01-e5b:Thai e81-edf:Lao
f00-fda:Tibetan 1000-109f:Myanmar 10a0-10ff:Georgian 1100-11ff:Hangul 1200-1399:Ethiopic 13a0-13fd:Cherokee
1400-167f:Canadian_Aboriginal 1680-169c:Ogham 16a0-16f8:Runic 1700-171f:Tagalog 1720-1734:Hanunoo 1740-1753:Buhid
1760-1773:Tagbanwa 1780-17f9:Khmer 1800-18aa:Mongolian 18b0-18f5:Canadian_Aboriginal 1900-194f:Limbu 1950-1974:Tai_Le
1980-19df:New_Tai_Lue 19e0-19ff:Khmer 1a00-1a1f:Buginese 1a20-1aad:Tai_Tham 1b00-1b7e:Balinese 1b80-1bbf:Sundanese
1bc0-1bff:Batak 1c00-1c4f:Lepcha 1c50-1c7f:Ol_Chiki 1c80-1c88:Cyrillic 1c90-1cbf:Georgian 1cc0-1cc7:Sundanese
1d00-1d25:Latin 1d26-1d2a:Greek 1d2b-1d2b:Cyrillic 1d2c-1d5c:Latin 1d5d-1d61:Greek 1d62-1d65:Latin 1d66-1d6a:Greek
1d6b-1d77:Latin 1d78-1d78:Cyrillic 1d79-1dbe:Latin 1dbf-1dbf:Greek 1e00-1eff:Latin 1f00-1ffe:Greek 2071-209c:Latin
2126-2126:Greek 212a-2188:Latin 2800-28ff:Braille 2c00-2c5f:Glagolitic 2c60-2c7f:Latin 2c80-2cff:Coptic
2d00-2d2d:Georgian 2d30-2d7f:Tifinagh 2d80-2dde:Ethiopic 2de0-2dff:Cyrillic 2e80-3029:Han 302e-302f:Hangul
3038-303b:Han 3041-309f:Hiragana 30a1-30ff:Katakana 3105-312f:Bopomofo 3131-318e:Hangul 31a0-31bf:Bopomofo
31f0-31ff:Katakana 3200-327e:Hangul 32d0-3357:Katakana 3400-9fff:Han a000-a4c6:Yi a4d0-a4ff:Lisu a500-a62b:Vai
a640-a69f:Cyrillic a6a0-a6f7:Bamum a722-a7ff:Latin a800-a82c:Syloti_Nagri a840-a877:Phags_Pa a880-a8d9:Saurashtra
a8e0-a8ff:Devanagari a900-a92f:Kayah_Li a930-a95f:Rejang a960-a97c:Hangul a980-a9df:Javanese a9e0-a9fe:Myanmar
aa00-aa5f:Cham aa60-aa7f:Myanmar aa80-aadf:Tai_Viet aae0-aaf6:Meetei_Mayek ab01-ab2e:Ethiopic ab30-ab64:Latin
ab65-ab65:Greek ab66-ab69:Latin ab70-abbf:Cherokee abc0-abf9:Meetei_Mayek ac00-d7fb:Hangul f900-fad9:Han
fb00-fb06:Latin fb13-fb17:Armenian fb1d-fb4f:Hebrew fb50-fdff:Arabic fe2e-fe2f:Cyrillic fe70-fefc:Arabic
ff21-ff5a:Latin ff66-ff9d:Katakana ffa0-ffdc:Hangul 10000-100fa:Linear_B 10140-101a0:Greek 10280-1029c:Lycian
102a0-102d0:Carian 10300-1032f:Old_Italic 10330-1034a:Gothic 10350-1037a:Old_Permic 10380-1039f:Ugaritic
103a0-103d5:Old_Persian 10400-1044f:Deseret 10450-1047f:Shavian 10480-104a9:Osmanya 104b0-104fb:Osage
10500-10527:Elbasan 10530-1056f:Caucasian_Albanian 10570-105bc:Vithkuqi 10600-10767:Linear_A 10780-107ba:Latin
10800-1083f:Cypriot 10840-1085f:Imperial_Aramaic 10860-1087f:Palmyrene 10880-108af:Nabataean 108e0-108ff:Hatran
10900-1091f:Phoenician 10920-1093f:Lydian 10980-1099f:Meroitic_Hieroglyphs 109a0-109ff:Meroitic_Cursive
10a00-10a58:Kharoshthi 10a60-10a7f:Old_South_Arabian 10a80-10a9f:Old_North_Arabian 10ac0-10af6:Manichaean
10b00-10b3f:Avestan 10b40-10b5f:Inscriptional_Parthian 10b60-10b7f:Inscriptional_Pahlavi 10b80-10baf:Psalter_Pahlavi
10c00-10c48:Old_Turkic 10c80-10cff:Old_Hungarian 10d00-10d39:Hanifi_Rohingya 10e60-10e7e:Arabic 10e80-10eb1:Yezidi
10efd-10eff:Arabic 10f00-10f27:Old_Sogdian 10f30-10f59:Sogdian 10f70-10f89:Old_Uyghur 10fb0-10fcb:Chorasmian
10fe0-10ff6:Elymaic 11000-1107f:Brahmi 11080-110cd:Kaithi 110d0-110f9:Sora_Sompeng 11100-11147:Chakma
11150-11176:Mahajani 11180-111df:Sharada 111e1-111f4:Sinhala 11200-11241:Khojki 11280-112a9:Multani
112b0-112f9:Khudawadi 11300-11374:Grantha 11400-11461:Newa 11480-114d9:Tirhuta 11580-115dd:Siddham 11600-11659:Modi
11660-1166c:Mongolian 11680-116c9:Takri 11700-11746:Ahom 11800-1183b:Dogra 118a0-118ff:Warang_Citi
11900-11959:Dives_Akuru 119a0-119e4:Nandinagari 11a00-11a47:Zanabazar_Square 11a50-11aa2:Soyombo
11ab0-11abf:Canadian_Aboriginal 11ac0-11af8:Pau_Cin_Hau 11b00-11b09:Devanagari 11c00-11c6c:Bhaiksuki
11c70-11cb6:Marchen 11d00-11d59:Masaram_Gondi 11d60-11da9:Gunjala_Gondi 11ee0-11ef8:Makasar 11f00-11f59:Kawi
11fb0-11fb0:Lisu 11fc0-11fff:Tamil 12000-12543:Cuneiform 12f90-12ff2:Cypro_Minoan 13000-13455:Egyptian_Hieroglyphs
14400-14646:Anatolian_Hieroglyphs 16800-16a38:Bamum 16a40-16a6f:Mro 16a70-16ac9:Tangsa 16ad0-16af5:Bassa_Vah
16b00-16b8f:Pahawh_Hmong 16e40-16e9a:Medefaidrin 16f00-16f9f:Miao 16fe0-16fe0:Tangut 16fe1-16fe1:Nushu 16fe2-16fe3:Han
16fe4-16fe4:Khitan_Small_Script 16ff0-16ff1:Han 17000-18aff:Tangut 18b00-18cd5:Khitan_Small_Script 18d00-18d08:Tangut
1aff0-1b000:Katakana 1b001-1b11f:Hiragana 1b120-1b122:Katakana 1b132-1b152:Hiragana 1b155-1b167:Katakana
1b170-1b2fb:Nushu 1bc00-1bc9f:Duployan 1d200-1d245:Greek 1d800-1daaf:SignWriting 1df00-1df2a:Latin
1e000-1e02a:Glagolitic 1e030-1e08f:Cyrillic 1e100-1e14f:Nyiakeng_Puachue_Hmong 1e290-1e2ae:Toto 1e2c0-1e2ff:Wancho
1e4d0-1e4f9:Nag_Mundari 1e7e0-1e7fe:Ethiopic 1e800-1e8d6:Mende_Kikakui 1e900-1e95f:Adlam 1ee00-1eef1:Arabic
1f200-1f200:Hiragana 20000-323af:Han
"""

UNSEEN = """
ad-ad 34f-34f 61c-61c 115f-1160 17b4-17b5 180b-180d 180e-180e 180f-180f 200b-200f 202a-202e 2060-2064 2065-2065
2066-206f 3164-3164 fe00-fe0f feff-feff ffa0-ffa0 fff0-fff8 1bca0-1bca3 1d173-1d17a e0000-e0000 e0001-e0001
e0002-e001f e0020-e007f e0080-e00ff e0100-e01ef e01f0-e0fff
"""
