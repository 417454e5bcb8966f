"""How learners put it when something is wrong: patterns over plain lower-case words, one sentence end as " . ".

Written for recall: a false alarm costs a teacher a few seconds. Apostrophes and accents are gone, spelling is mended
and letters in disguise are back before these are asked (see `urgent.plain_text`).
"""

from __future__ import annotations

_I = r"(?:i|im|id|ill|ive|ima|imma|me)"
_FAMILY = (
    r"(?:dad|daddy|dads|father|mom|mum|mommy|mama|mother|moms|mums|papa|parents|step ?(?:dad|mom|mum|father|mother"
    r"|brother|sister)|uncle|aunt|auntie|aunty|brother|sister|bro|sis|cousin|grand(?:pa|ma|dad|mother|father)|granddad"
    r"|nan|gran|boyfriend|girlfriend|babysitter|coach|foster (?:dad|mom|mum|father|mother|parents)|neighbou?r)"
)
_PEERS = (
    r"(?:they|kids?|boys?|girls?|guys|people|everyone|every ?body|others|class(?:mates)?|some ?one|somebody|he|she"
    r"|friends?|students|bullies)"
)
_HURT = (
    r"(?:hits?|hitting|beats?|beating|punch(?:es|ed)?|kick(?:s|ed)?|slap(?:s|ped)?|smack(?:s|ed)?|chok(?:es|ed)"
    r"|whip(?:s|ped)?|hurt(?:s|ing)?|touch(?:es|ed|ing)|molest\w*|rap(?:es|ed)|abus(?:es|ed|ing)|strangl\w+)"
)
_THROW = (
    r"(?:threw|throws?|trows?|push(?:es|ed)|shov(?:es|ed)|lock(?:s|ed)|burn(?:s|t|ed)|grab(?:s|bed)|scares?|threatens?)"
)
_US = r"(?:me|us|my (?:mom|mum|mother|mama|sister|brother|bro|siblings?|little \w+))"

SELF_HARM = (
    r"(?:kill|killing|hurt|hurting|harm|harming|cut|cutting|burn|burning|shoot|hang|hanging|stab|drown|starve|starving"
    r"|unalive|off) (?:my ?self|meself)",
    rf"(?<!worksheet is )(?<!test is )(?:please|just|someone) kill me|kill me (?:please|now|im serious)|hurt me \. |tells me to (?:hurt|kill|die)",
    rf"\b{_I}\b(?: \w+){{0,4}} (?:want|wanted|wanna|wants|hope|going|gonna|rather)(?: \w+){{0,3}} (?:die|dead|not exist"
    r"|never wake|not wake|disappear|vanish)\b",
    r"(?:want|wanted|wanna)(?: to)? (?:die|be dead|dye(?= [.]| not| $))",
    r"\bwish(?:ed)? (?:that )?i (?:\w+ ){0,2}(?:dead|die|died|gone|not here|not alive|never born|never wake|disappear)",
    r"\bwish(?:ed)? (?:that )?i (?:wasnt|werent|wasn|was not|were not|was never|had never been) (?:\w+ )?(?:here|alive|born|around)",
    r"\bwish i (?:could|would)(?: \w+){0,4} (?:die|disappear|never wake|not wake)",
    r"(?:dont|do not|didnt|never|not|no longer|doesnt)(?: \w+){0,2} (?:want|wanna|wish)(?: to)? (?:be (?:alive|here|around"
    r"|in this world)|live|exist|wake up|go on)\b",
    r"(?:better|happier)(?: off)? (?:dead|without me|if i)",
    r"(?<!cell )(?<!cells )(?<!cells commit )(?<!cell commits )\bsuicid\w*|\bkms\b|\bunaliv\w*|\bself ?harm\w*",
    r"\b(?:end|ending|take|taking|ended) (?:it all|my (?:own )?life)",
    rf"\b{_I}\b(?: \w+){{0,2}} overdos\w*",
    r"(?:no|any|the|whats the|is the) (?:point|reason)(?: \w+){0,3} (?:living|life|alive|being here|going on|of anything"
    r"|to live|keep going|go on)",
    r"(?:see|know|understand) why (?:im|i am) (?:even )?(?:here|alive)",
    r"(?:nobody|no one|no ?body|noone)(?: would| will| even)+ (?:care|notice|miss me|know)\b",
    r"life (?:isnt|is not|aint|not|is) (?:worth(?! a)|pointless|meaningless)|\bhate my life\b|(?:so )?tired of (?:being (?:alive|here)|living|life)",
    r"\bi (?:\w+ ){0,2}(?:cut|cutting|scratch|scratched|burn|bite) my (?:\w+ )?(?:arms?|wrists?|legs?|skin|self|thighs?)",
    r"\bi (?:\w+ ){0,3}(?:took|swallow\w*|take) (?:\w+ ){0,4}pills",
    rf"\b{_I}\b(?: \w+){{0,5}} jump(?:ing)? off (?:a|the|my|this) (?:bridge|roof|building|cliff|balcony)",
    r"goodbye (?:everyone|everybody|world|letter|note|all|forever)|(?:goodbye|suicide) (?:letter|note)",
    r"(?:wont|will not|might not|not think i will|dont think i will) be (?:here|alive) (?:next|tomorrow|much|any|for|when)",
    r"(?:cant|cannot|can not) (?:do this|go on|take (?:it|this)|keep going|live)(?: like this)? ?(?:any ?more|no more|longer)|\bi cant take it\b",
    r"\b(?:feel|am|im|so) (?:\w+ ){0,2}(?:worthless|hopeless|empty|numb|useless|like dying|suicidal)\b|\bhate (?:my ?self|how i look)",
    r"(?:dont|do not|not) feel safe",
    r"\bif i (?:died|die|was dead|were dead|disappeared|was gone|wasnt here)\b",
    r"(?:be|go|see) (?:\w+ ){0,4}in heaven",
    r"(?:thinking|think|thought|dream|plan|planning) (?:\w+ ){0,2}(?:about|of|to) (?:\w+ ){0,3}(?:dying|killing my ?self|suicide"
    r"|ending (?:it|my)|end my)",
    r"(?:dont|do not|never|not) (?:think )?(?:\w+ ){0,3}get(?:ting)? better|i (?:just )?want (?:it|everything|this) (?:all )?to (?:stop|end|be over)",
    r"\bi (?:just )?want to give up on (?:life|everything)|bleed when im",
    r"me quiero (?:morir|matar)|quiero morir(?:me)?\b|no quiero vivir|matarme|me corto",
)

THREAT = (
    r"\b(?:i|im|ill|id|ima|imma|we|gonna|going to|want to|wanna)\b(?: \w+){0,5} (?:kill|kil|shoot|stab|murder|hurt|strangle"
    r"|beat|bomb)(?:ing)?(?: up)? (?:\w+ ){0,3}(?:you|u|him|her|them|every ?one|every ?body|people|someone|somebody|y?all"
    r"|class|school|teachers?|kids?|boys?|girls?|brother|sister|mom|mum|dad|step ?dad|step ?mom|mr|mrs|miss|principal"
    r"|students)\b",
    r"(?:shoot|blow|burn|bomb)(?:ing)?(?: up| down)? (?:the|this|my|our|that) (?:whole )?(?:school|class|bus|building)",
    r"(?:bring|bringing|brought|have|got|carry|carrying) (?:\w+ ){0,3}(?:gun|knife|rifle|pistol|bomb|weapon)(?: \w+){0,4} "
    r"(?:school|class|bag|backpack|locker|tomorrow|monday|for [a-z]+)",
    r"\bi (?:\w+ )?(?:know where|have|got|can get) (?:\w+ ){0,3}(?:gun|rifle|pistol)\b|(?:my|with my|with an?) (?:dads|uncles|brothers|grandpas) (?:gun|rifle|knife)",
    r"\bi?m? ?(?:going to|gonna|will|want to|know how to) (?:make|build) (?:a|the) bomb|\bi (?:will )?make a bomb",
    r"(?:want|wish|hope)(?:ed|s)? (?:him|her|them|everyone|you|he|she|they)(?: \w+){0,2} (?:dead|die|died|dies)\b",
    r"(?:deserves?|needs?|should|has|have) (?:all )?to die\b|(?:he|she|they) should die|(?:till|until) (?:he|she|they)(?: \w+)? (?:dead|gone)",
    r"list of (?:people|kids|names) (?:i|to|that i)",
    r"(?:will|gonna|going to) (?:all )?(?:be sorry|pay for|regret)|(?:he|she|they|you)(?: \w+){0,2} gonna pay\b|watch out on",
    r"(?:nobody|no one|dont) come to school (?:tomorrow|on|next)|something bad (?:is )?(?:gonna|going to|will) happen",
    r"(?:think|thinking|thought|dream) (?:about|of) (?:shooting|killing|stabbing|hurting) (?!my)\w+",
)

ABUSE = (
    rf"\b{_FAMILY}\b(?: \w+){{0,5}} (?:{_HURT}|{_THROW})(?: \w+){{0,3}} {_US}\b",
    rf"\b(?:he|she|they|someone|somebody|a man|some guy|teacher)\b(?: \w+){{0,2}} {_HURT} {_US}\b",
    r"(?:he|she|someone|they) (?:\w+ ){0,2}(?:hurting|touching|abusing) (?:me|us)\b|does (?:\w+ ){0,2}to me\b|keeps? touching",
    r"\b(?:rape[ds]?|molest\w*|private parts?|sexually)\b|\bi (?:was|am|been|got) (?:being )?abused\b",
    rf"\b(?:i|im)\b(?: \w+){{0,3}} (?:scared|afraid|terrified|frightened)(?: \w+){{0,2}} (?:to|of) (?:go|going|be|being|get|getting"
    rf"|my|him|{_FAMILY})(?: \w+){{0,3}} (?:home|house|there|{_FAMILY})\b|\bscared of (?:my )?{_FAMILY}\b",
    rf"(?:dont|do not|hate|never) (?:\w+ ){{0,2}}(?:to )?(?:go|going|be|being|come) (?:home|back home|to my (?:{_FAMILY})s?\b)|"
    r"(?:dont|do not) want to go (?:this|next|on the) weekend",
    rf"bruis\w+(?: \w+){{0,5}} {_FAMILY}|\b{_FAMILY}\b(?: \w+){{0,2}} (?:gets?|got|is|was) (?:\w+ )?(?:mad|angry|drunk|violent)\b",
    rf"when (?:he|she|{_FAMILY}) (?:drinks|is drunk|gets drunk|gets mad|gets angry|shouts|yells)|\b{_FAMILY}\b(?: \w+){{0,3}} (?:drinks|is drunk)",
    r"(?:we|i|my family)(?: \w+){0,2} (?:have|had|got|get|has) (?:no|any|nothing|not enough)(?: \w+)? (?:food|dinner|breakfast|to eat)\b"
    r"(?! in the (?:jar|tank|cage))",
    r"(?:no|nothing|any|not much|isnt any|isnt much)(?: really)? (?:food|dinner|breakfast|to eat)(?: \w+){0,2} (?:at|in) (?:my|our|ours)\b",
    r"\b(?:we|i) (?:didnt|havent|have not|dont|did not|never)(?: \w+)? (?:have|had|eat|eaten|get|got) (?:any )?(?:dinner|breakfast|food"
    r"|lunch|since|today|all day|anything)\b",
    r"(?:hungry all the time|(?:im|i am) (?:always|so) hungry|lock(?:s|ed)? the fridge|so i cant eat|wasnt hungry so my)",
    r"(?:leaves?|left|leaving) (?:us|me) (?:home |here )?(?:alone|by (?:our|my)sel\w+)(?! for the)|hasnt (?:come|been) home|(?:hasnt|didnt) come back",
    r"\b(?:we|i|us)\b(?: \w+){0,2} (?:kicked out|thrown out|homeless|evicted)|nowhere to (?:sleep|go|live|stay)|sleep(?:ing)? in (?:the|our|my|a) car",
    r"(?:dont|not|never) (?:to )?tell (?:any ?one|any ?body|nobody|my (?:mom|mum|dad|parents)|your (?:mom|mum|dad|parents)|the teacher)|our (?:little )?secret",
    r"(?:dont|do not) (?:call|phone|tell|ring) (?:my )?(?:house|home|mom|mum|dad|parents)|please (?:dont|do not) (?:read|tell|show) (?:this|anyone|anybody)",
    r"(?:not|dont feel|isnt|never) (?:\w+ )?safe (?:at|in|here|when|with) ?(?:my|the|our|home)?",
    r"what happens (?:at|in) (?:home|my house|our house|night)|talk to (?:someone|somebody|you) about (?:what|something|home)|(?:need|want) to tell (?:someone|you) something",
    r"(?:send|sending|sent|wants|asks for) (?:him |her |me )?(?:\w+ )?(?:nudes|naked|pictures (?:of me|to)|photos (?:of me|to)|pics (?:of me|to))",
    r"(?:man|guy|someone|person|boy) (?:i met )?online|met (?:him|her|a man|a guy|someone) online|meet me(?: \w+){0,4} (?:dont|not) tell",
    r"(?:take|takes|took|taking) (?:\w+ )?(?:my )?clothes off|take off my clothes|(?:comes?|came|coming) in(?:to)? my (?:bed)?room|(?:he|she|they) (?:forced|forces|made|makes) me\b"
    r"(?! (?:feel|want|think|laugh|happy|sad|go higher|realize|smile))|kissed me",
    r"\bi (?:\w+ ){0,2}(?:get|got|gets|am|was|been|being) (?:hit|beat|beaten|whipped|slapped|smacked|punched)\b(?! by (?:the|a) (?:ball|light|sun|wave|rock|frisbee|dodge))",
    r"\bi (?:\w+ )?(?:hide|hid|hiding) (?:in|under|behind) (?:\w+ )?(?:closet|bed|bathroom|cupboard|wardrobe|basement)",
    r"(?:some ?one|somebody|he|she|they) (?:is|are|keeps|keep) (?:\w+ )?hurting|\bhurts me when\b|(?:help|save) me (?:please|from)|please help me i\b",
    r"look\w* (?:for|at) (?:me|us) with a (?:knife|gun)|with a (?:belt|stick|cigarette|knife)\b(?: \w+){0,3} (?:me|my|again)|(?:me|us)(?: \w+){0,2} with a (?:belt|stick|cigarette|knife|bat)|beat(?:en)? with a",
    r"me (?:pega|pegan|golpea|golpean|toca|grita)\b|tengo miedo de (?:ir|mi)",
)

BULLYING = (
    r"\b(?:i|im|me|my)\b(?: \w+){0,5} (?:cyber ?)?bull(?:y|ied|ying)\b|bull(?:y|ys|ies|ied|ying) (?:me|us)\b|\bcyber ?bull\w*",
    rf"\b{_PEERS}\b(?: \w+){{0,4}} call(?:s|ed|ing)? me\b",
    r"(?:make|makes|made|making) fun of me|laugh(?:s|ed|ing)? at me|pick(?:s|ed|ing)? on me|mean to me|teas(?:e|es|ed|ing) me"
    r"|(?:everyone|every ?body|they|they all|class|kids) (?:\w+ )?hates? me",
    rf"\b{_PEERS}\b(?: \w+){{0,5}} (?:beat|beats|hit|hits|jump|punch|kick|kicked|spit|trip|shove|shoves|shuv|slap|slapped) (?:on |at )?me\b",
    rf"(?:threw|throws?|throwing) (?:\w+ )?(?:stuff|things|rocks|food|trash|paper|garbage) at me|push(?:es|ing|ed)? me (?:into|off|down|around|out)",
    r"(?:beat|jump|jumped) me (?:up|after|at)|(?:take|takes|took|taking|steal|steals|stole) my (?:money|bag|lunch|shoes|phone|stuff|things|hijab)",
    r"(?:told|tell|tells|telling|said|say|says|saying) (?:me )?(?:that )?(?:to |i should |i can )(?:just )?(?:go )?(?:kill my ?self|die|disappear)\b|\bgo die\b|\bkys\b|kill yourself(?! if)",
    r"(?:eat|eating|ate|have|sit) (?:my )?(?:lunch )?(?:alone|in the (?:bathroom|toilets?))\b(?: \w+){0,6} (?:bathroom|toilets?|they|cant|every)|lunch (?:alone )?in the (?:bathroom|toilets?)",
    r"(?:nobody|no one|no ?body) (?:\w+ )?(?:likes me|sits|talks to|plays|wants (?:me|to be)|loves me)|(?:have|got) no fr(?:ie|ei)?nds?\b",
    r"(?:dont|do not|never) (?:wanna|want to|like to) (?:come|go|be) (?:\w+ ){0,2}(?:to|on|at|in) (?:school|the bus|class)",
    r"(?:mean|bad|nasty|rude) (?:stuff|things|messages|comments|video|pictures?) (?:about|of|to) me|(?:chat|group|page|video|account) about me|sending me (?:\w+ )?(?:threats|messages)",
    r"go back to (?:my|your|our) country|because of my (?:skin|race|religion|accent|weight|hijab|colou?r)",
    r"grab(?:s|bing)? me\b|wont stop when i|(?:lock|locks|locked|locking) me (?:in|out)|scared of (?:the |those )?(?:kids|boys|girls|bullies)",
)
