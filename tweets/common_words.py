"""The words that hardly any sentence goes without, and the language that they tell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

_LEAST: Final = 1.9  # points: two words that no other language has, or more that several share
_LEAD: Final = 1.9  # times the points of the second best
_WORD: Final = re.compile(r"[^\W\d_]{2,}(?:'[^\W\d_]+)?")  # single letters are words in half of the languages

#: The most common words in each language. Hardly any sentence goes without them.
COMMON_WORDS: dict[str, str] = {
    "en": (
        "the and you that was for are with his they this have from one had word but not what all were when your can "
        "said there use each which she how their will other about out many then them these some her would make like "
        "him into time has look more write see who its now people been because been did get come made over than just "
        "only know take where after back most very our it he i we us my me am is be as on at by of to in an if or so "
        "do no up any too why here off even being don't i'm it's can't that's you're i've didn't isn't doesn't won't "
        "he's she's they're we're there's what's i'll you'll i'd you've wasn't aren't let's couldn't wouldn't "
        "shouldn't we've go good day new today happy love right need way much long last best great may us yes gonna "
        "should could does got going still think want really thanks please always never again those through before "
        "while such going something every im dont thats youre ive cant didnt whats"
    ),
    "es": (
        "el la los las un una unos unas y o pero que de del al en por para con sin sobre se lo le les me te nos mi tu "
        "su mis tus sus es son era fue ser está están estoy estás hay muy más menos ya no sí como cómo cuando cuándo "
        "donde dónde quien quién todo todos toda todas esto esta este estos estas eso esa ese aquí ahora hoy también "
        "siempre nunca porque qué si hasta desde entre otro otra otros nada algo ha he han hace hacer tiene tengo va "
        "voy vamos gracias bien así mucho mucha muchos años día aunque mientras después antes ni yo él ella ellos "
        "usted ustedes nosotros puede quiero creo pues cada mejor solo sólo tan eres era había"
    ),
    "pt": (
        "o a os as um uma uns umas e ou mas que de do da dos das em no na nos nas por pelo pela para com sem sobre se "
        "lhe me te nos meu minha teu tua seu sua é são era foi ser está estão estou tem têm há muito muita mais menos "
        "já não sim como quando onde quem tudo todos toda todas isto esta este isso essa esse aqui agora hoje também "
        "sempre nunca porque até desde entre outro outra nada algo você vocês eu ele ela eles elas nós vai vou vamos "
        "obrigado obrigada bem assim ainda só depois antes fazer ter pra tô né mesmo aos às ao num numa fica gente "
        "coisa quero acho pode cada melhor"
    ),
    "fr": (
        "le la les un une des et ou mais que qui de du au aux en dans par pour avec sans sur se lui leur leurs me te "
        "nous vous mon ma mes ton ta tes son sa ses est sont était être suis es sommes êtes il elle ils elles je tu "
        "on ne pas plus moins déjà non oui comme quand où tout tous toute toutes ce cette ces cet ça ici maintenant "
        "aujourd'hui aussi toujours jamais parce jusqu depuis entre autre autres rien quelque bien très ai as a avons "
        "avez ont fait faire va vais merci c'est j'ai n'est qu'il d'un d'une l'on y été peu trop encore alors donc si "
        "même après avant sous chez pourquoi quoi faut peut veux veut"
    ),
    "de": (
        "der die das den dem des ein eine einen einem einer eines und oder aber dass daß von vom zu zum zur in im an "
        "am auf aus bei mit nach seit über unter vor für ohne um durch gegen ich du er sie es wir ihr mich dich sich "
        "uns euch mir dir ihm ihnen mein meine dein deine sein seine ihre unser ist sind war waren bin bist wird "
        "werden wurde hat habe haben hatte nicht kein keine mehr noch schon nur auch immer nie wie wenn wann wo wer "
        "was warum weil alle alles nichts etwas hier jetzt heute dann doch mal ja nein sehr gut kann können muss "
        "müssen will wieder viel viele ganz als bis dieser diese dieses da denn man gibt geht mach machen würde "
        "selbst damit"
    ),
    "it": (
        "il lo la i gli le un uno una e o ma che di del dello della dei degli delle al allo alla ai agli alle in nel "
        "nella nei nelle da dal dalla per con senza su sul sulla si mi ti ci vi mio mia tuo tua suo sua è sono era "
        "erano essere sei siamo ho hai ha abbiamo hanno non più meno già sì come quando dove chi tutto tutti tutta "
        "questo questa questi queste quello quella qui ora oggi anche sempre mai perché fino tra fra altro altra "
        "niente qualcosa molto molti bene grazie così ancora solo poi prima dopo fare fatto va vado anni giorno io tu "
        "lui lei noi voi loro c'è cosa ogni proprio però quindi"
    ),
    "nl": (
        "de het een en of maar dat die van in op te aan met voor door uit bij naar over om tot als zonder ik jij je u "
        "hij zij ze wij we jullie mij me hem haar ons hen mijn jouw zijn is was waren ben bent wordt worden werd "
        "heeft heb hebben had niet geen meer nog al alleen ook altijd nooit hoe wanneer waar wie wat waarom omdat "
        "alle alles niets iets hier nu vandaag dan toch wel ja nee heel goed kan kunnen moet moeten wil weer veel "
        "deze dit er zo gaan gaat naar maken doen zou zoals onze eens mensen want echt leuk bedankt tegen"
    ),
    "sv": (
        "och att det som en ett på är av för med till den har inte om jag du han hon vi ni de mig dig sig oss er min "
        "din sin var kan ska skulle så men eller när där här hur vad vem varför nu idag också alltid aldrig bara mer "
        "från vid efter under över mellan utan blir blev varit ha hade än alla allt något ingen inget mycket många "
        "bra ja nej man detta denna dessa måste vill får gör göra går väl ju kommer år dag tack lite"
    ),
    "da": (
        "og at det som en et på er af for med til den har ikke om jeg du han hun vi i de mig dig sig os min din sin "
        "var kan skal skulle så men eller når hvor her hvordan hvad hvem hvorfor nu dag også altid aldrig kun mere "
        "fra ved efter under over mellem uden bliver blev været have havde end alle alt noget ingen intet meget mange "
        "ja nej man dette denne disse må vil får gør går jo kommer år tak lidt bare nogle"
    ),
    "no": (
        "og at det som en et på er av for med til den har ikke om jeg du han hun vi dere de meg deg seg oss min din "
        "sin var kan skal skulle så men eller når hvor her hvordan hva hvem hvorfor nå dag også alltid aldri bare mer "
        "fra ved etter under over mellom uten blir ble vært ha hadde enn alle alt noe ingen ingenting mye mange bra "
        "ja nei man dette denne disse må vil får gjør går jo kommer år takk litt noen"
    ),
    "fi": (
        "ja on ei se että en oli olen olet ovat mutta tai kun jos niin kuin myös vain nyt minä sinä hän me te he "
        "minun sinun mitä mikä missä miksi miten kuka tämä tuo nämä siellä täällä tänään aina koskaan kaikki joka "
        "jotka ole olla ollut sitten vielä jo hyvä paljon enemmän kanssa ilman ennen jälkeen pitää voi voin saa tulee "
        "menee ihan kyllä joo kiitos siis kuitenkin sen sitä tätä mun sun ette emme eikä"
    ),
    "pl": (
        "i w na z że się nie to jest do jak o po ale za co tak od ma są już czy dla przez tylko ja ty on ona my wy "
        "oni mnie mi cię ci go mu jej ich ten ta te tego tym był była było być mam masz może można bardzo więcej "
        "jeszcze gdy kiedy gdzie kto dlaczego bo wszystko nic coś tu tutaj teraz dzisiaj dziś też zawsze nigdy bez "
        "przed pod nad dobrze dzięki dziękuję jestem jesteś będzie żeby który która które więc"
    ),
    "cs": (
        "a v na se že je to si do jak o po ale za co tak od má jsou už pro jen já ty on ona my vy oni mě mi tě ti ho "
        "mu jí jich ten ta ty toho tím byl byla bylo být mám máš může velmi více ještě když kdy kde kdo proč protože "
        "všechno nic něco tady teď dnes také taky vždy nikdy bez před pod nad dobře díky děkuji jsem jsi jsme bude "
        "aby který která které nebo není"
    ),
    "ro": (
        "și şi de la în nu cu pe că care un o este sunt era fi am ai are avem au mai dar sau din ce cum când unde "
        "cine pentru prin fără despre eu tu el ea noi voi ei mă te se îl îi mi ți lui meu mea tău ta acest această "
        "acum azi aici tot toate toți nimic ceva foarte mult bine da doar după înainte niciodată mereu deci dacă fost "
        "asta"
    ),
    "hu": (
        "a az és hogy nem is egy van volt de ha ez azt ezt meg már csak még mint vagy én te ő mi ti ők nekem neked "
        "neki engem minden semmi valami itt ott most ma mikor hol ki miért mert nagyon jó több kell lehet lesz lett "
        "sem se után előtt alatt nélkül akkor így úgy köszönöm igen vannak vagyok szerintem"
    ),
    "tr": (
        "ve bir bu da de için ile çok ne var yok ben sen o biz siz onlar beni seni bana sana benim senin ama ya gibi "
        "daha kadar en her şey şimdi bugün değil mi mı mu mü nasıl neden nerede kim olarak olan oldu olsun olur sonra "
        "önce hiç bile sadece evet hayır iyi güzel teşekkürler diye ise ki artık böyle"
    ),
    "id": (
        "yang dan di ke dari ini itu untuk dengan pada adalah tidak tak ada saya aku kamu dia kami kita mereka akan "
        "sudah belum bisa juga saja lagi tapi atau karena kalau jika apa siapa kapan dimana kenapa bagaimana sangat "
        "lebih banyak semua nya ya bukan jadi sama orang hari tahun baru masih harus mau udah gak nggak banget dong "
        "sih nih aja kok gue lo"
    ),
    "tl": (
        "ang ng sa mga na at ay ko mo niya namin natin nila ako ikaw siya kami tayo sila hindi wala may mayroon ito "
        "iyan iyon dito diyan doon para kung kapag pero dahil kasi lang naman din rin po opo ba pa nga yung ung kaya "
        "lahat bakit paano sino ano kailan saan salamat mahal gusto ngayon"
    ),
    "ca": (
        "el la els les un una uns unes i o però que de del dels al als en per amb sense sobre es ho li em et ens us "
        "meu meva teu teva seu seva és són era fou ser està hi ha molt més menys ja no sí com quan on qui tot tots "
        "tota això aquest aquesta aquests aquí ara avui també sempre mai perquè fins des entre altre altra res alguna "
        "gràcies bé així només després abans fer té tinc vaig anem jo ell ella nosaltres doncs amb"
    ),
}


@cache
def _points() -> dict[str, tuple[tuple[str, float], ...]]:
    """Return word -> its points for each language: one for a word of one language, a half for two, and so on."""
    languages: dict[str, list[str]] = {}
    for language, words in COMMON_WORDS.items():
        for word in dict.fromkeys(words.split()):
            languages.setdefault(word, []).append(language)
    return {word: tuple((name, 1 / len(names)) for name in names) for word, names in languages.items()}


def words_of(lower: str) -> list[str]:
    """Return the words of a text in lower case."""
    return _WORD.findall(lower)


def language_of_words(words: Iterable[str]) -> str | None:
    """Return the ISO 639-1 code of the language that the words belong to, or None if it isn't clear."""
    points = _points()
    scores: dict[str, float] = {}
    for word in words:
        for language, share in points.get(word, ()):
            scores[language] = scores.get(language, 0.0) + share
    if not scores:
        return None
    ranked = sorted(scores.values(), reverse=True)
    if ranked[0] < _LEAST or (len(ranked) > 1 and ranked[0] < ranked[1] * _LEAD):
        return None
    return max(scores, key=lambda language: scores[language])
