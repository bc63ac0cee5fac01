<?php

declare(strict_types=1);

// A poll: everybody may vote, the votes are kept in a file.

const ANSWERS = ['Tabs', 'Spaces', 'What is the difference?']; // Ask something else!
const VOTES_FILE = __DIR__ . '/votes.txt';

if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    $answer = filter_var($_POST['answer'] ?? '', FILTER_VALIDATE_INT);
    if (is_int($answer) && isset(ANSWERS[$answer])) {
        file_put_contents(VOTES_FILE, "$answer\n", FILE_APPEND | LOCK_EX);
    }
    header('Location: /', response_code: 303);
    exit;
}

$votes = is_file(VOTES_FILE) ? array_count_values(file(VOTES_FILE, FILE_IGNORE_NEW_LINES)) : [];
$total = array_sum($votes);
?>
<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Poll</title>
    <link rel="stylesheet" href="/style.css">
  </head>
  <body>
    <main>
      <h1>Tabs or spaces?</h1>
      <p><?= $total ?> <?= $total === 1 ? 'vote' : 'votes' ?> so far. Click to vote.</p>
      <form method="post">
        <?php foreach (ANSWERS as $index => $answer): ?>
          <?php $percent = $total > 0 ? (int) round(100 * ($votes[$index] ?? 0) / $total) : 0; ?>
          <button name="answer" value="<?= $index ?>" style="--share: <?= $percent ?>%">
            <span><?= htmlspecialchars($answer) ?></span> <span><?= $percent ?> %</span>
          </button>
        <?php endforeach ?>
      </form>
    </main>
  </body>
</html>
