//! Caesar's cipher, and how to break it: the most frequent letter of English gives the key away.

fn shift_letter(letter: char, key: u8) -> char {
    let first = match letter {
        'a'..='z' => b'a',
        'A'..='Z' => b'A',
        _ => return letter, // spaces and punctuation stay
    };
    ((letter as u8 - first + key) % 26 + first) as char
}

fn encrypt(text: &str, key: u8) -> String {
    text.chars().map(|letter| shift_letter(letter, key)).collect()
}

fn decrypt(text: &str, key: u8) -> String {
    encrypt(text, 26 - key)
}

/// Guesses the key: the letter that occurs most often was probably an "e".
fn guess_key(secret: &str) -> Option<u8> {
    let mut counts = [0; 26];
    for letter in secret.chars().filter(char::is_ascii_alphabetic) {
        counts[(letter.to_ascii_lowercase() as u8 - b'a') as usize] += 1;
    }
    let most_frequent = (0..26).max_by_key(|&index| counts[index as usize])?;
    Some((most_frequent + 26 - (b'e' - b'a')) % 26)
}

fn main() {
    // What next? Write your own message, and find one that the guess gets wrong.
    let message = "Meet me where the three elm trees are, seven steps west of the well.";
    let key = 11;

    let secret = encrypt(message, key);
    println!("Secret:  {secret}");

    match guess_key(&secret) {
        Some(guess) => println!("Key {guess}: {}", decrypt(&secret, guess)),
        None => println!("There is nothing to guess from."),
    }
}
