"""Sentences that the perturbations draw from. Written for this project, CC0."""

# Answers to no task in particular, as learners of school age might write them.
OTHER_LANGUAGES: dict[str, tuple[str, ...]] = {
    "ar": (
        "أعتقد أن الماء يتبخر لأن الشمس تسخنه كل يوم.",
        "النبات يحتاج إلى الضوء والماء لكي ينمو.",
        "لا أعرف الجواب ولكن أظن أن الكتلة لا تتغير.",
    ),
    "de": (
        "Ich glaube, dass das Wasser verdunstet, weil die Sonne es jeden Tag erwärmt.",
        "Die Pflanze braucht Licht und Wasser, damit sie wachsen kann.",
        "Die Masse bleibt gleich, weil nichts dazukommt und nichts verloren geht.",
    ),
    "es": (
        "Yo creo que el agua se evapora porque el sol la calienta todos los días.",
        "La planta necesita luz y agua para poder crecer.",
        "no se la respuesta pero pienso que la masa es igual porque nada se perdio",
    ),
    "fr": (
        "Je pense que l'eau s'évapore parce que le soleil la chauffe tous les jours.",
        "La plante a besoin de lumière et d'eau pour grandir.",
        "la masse reste la meme parce que rien ne se perd",
    ),
    "hi": (
        "मुझे लगता है कि पानी भाप बन जाता है क्योंकि सूरज उसे गरम करता है।",
        "पौधे को बढ़ने के लिए रोशनी और पानी चाहिए।",
    ),
    "ht": (
        "Mwen panse dlo a vin tounen vapè paske solèy la chofe li chak jou.",
        "Plant lan bezwen limyè ak dlo pou l ka grandi.",
    ),
    "it": (
        "Penso che l'acqua evapora perché il sole la scalda tutti i giorni.",
        "La pianta ha bisogno di luce e di acqua per crescere.",
    ),
    "ko": (
        "햇빛이 물을 데우기 때문에 물이 증발한다고 생각해요.",
        "식물이 자라려면 빛과 물이 필요합니다.",
    ),
    "pl": (
        "Myślę, że woda paruje, bo słońce codziennie ją ogrzewa.",
        "Roślina potrzebuje światła i wody, żeby rosnąć.",
    ),
    "pt": (
        "Eu acho que a água evapora porque o sol esquenta ela todos os dias.",
        "A planta precisa de luz e de água para crescer.",
        "nao sei bem mas acho que a massa fica igual porque nada saiu",
    ),
    "ru": (
        "Я думаю, что вода испаряется, потому что солнце нагревает её каждый день.",
        "Растению нужны свет и вода, чтобы расти.",
    ),
    "so": (
        "Waxaan u maleynayaa in biyuhu uumi baxaan sababtoo ah qorraxda ayaa kululeysa.",
        "Geedku wuxuu u baahan yahay iftiin iyo biyo si uu u koro.",
    ),
    "sw": (
        "Nadhani maji yanakuwa mvuke kwa sababu jua linayapasha joto kila siku.",
        "Mmea unahitaji mwanga na maji ili uweze kukua.",
    ),
    "tl": (
        "Sa tingin ko nawawala ang tubig dahil pinapainit ito ng araw araw-araw.",
        "Kailangan ng halaman ang liwanag at tubig para lumaki.",
    ),
    "tr": (
        "Bence su buharlaşıyor çünkü güneş onu her gün ısıtıyor.",
        "Bitkinin büyümek için ışığa ve suya ihtiyacı var.",
    ),
    "uk": (
        "Я думаю, що вода випаровується, бо сонце щодня її нагріває.",
        "Рослині потрібні світло і вода, щоб рости.",
    ),
    "vi": (
        "Em nghĩ nước bốc hơi vì mặt trời làm nóng nó mỗi ngày.",
        "Cây cần ánh sáng và nước để lớn lên.",
        "khoi luong khong doi vi khong co gi mat di",
    ),
    "zh": (
        "我觉得水会蒸发,因为太阳每天把它晒热。",
        "植物需要光和水才能长大。",
    ),
}

OFF_TOPIC: tuple[str, ...] = (
    "My favourite football team won last night and I watched the whole game with my brother.",
    "this is boring, when is lunch, i want pizza and fries",
    "The president of the United States lives in the White House in Washington.",
    "my cat is called muffin and she sleeps on my bed all day",
    "once upon a time there was a princess who lived in a castle with a dragon",
    "I played video games all weekend and got to level forty two.",
    "The best movie is the one with the robots, you should watch it.",
    "Please give me full marks, I studied really hard for this and I need the points to pass.",
    "happy birthday to my friend jake he is fourteen today",
    "I am going to be a famous singer and travel the world with my band.",
    "hey teacher can i get extra credit because i was sick last week",
    "I don't really care about school. I just want to go home and sleep.",
    "my dad has a red truck and he lets me wash it on sundays",
    "Basketball practice starts at four and coach said to bring new shoes.",
    "why did the chicken cross the road? to get to the other side lol",
    "World War II ended in 1945 after the surrender of Germany and Japan.",
    "To solve for x, subtract five from both sides and divide by two.",
    "My grandmother bakes cookies with chocolate and lots of butter at Christmas.",
    "We should wear uniforms because then nobody argues about expensive clothes.",
    "Shakespeare wrote Romeo and Juliet, a tragedy about two young lovers in Verona.",
)
