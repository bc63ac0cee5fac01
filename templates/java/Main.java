import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Asks a small library a few questions with records and streams. */
public class Main {
    record Book(String title, String author, int year, int pages) {}

    static final List<Book> BOOKS = List.of(
            new Book("Frankenstein", "Mary Shelley", 1818, 280),
            new Book("Alice in Wonderland", "Lewis Carroll", 1865, 200),
            new Book("Around the World in Eighty Days", "Jules Verne", 1873, 260),
            new Book("The Time Machine", "H. G. Wells", 1895, 118),
            new Book("The War of the Worlds", "H. G. Wells", 1898, 287),
            new Book("Emma", "Jane Austen", 1815, 474)); // Add a book you like!

    public static void main(String[] arguments) {
        System.out.println("From old to new:");
        BOOKS.stream()
                .sorted(Comparator.comparingInt(Book::year))
                .forEach(book -> System.out.printf("  %d  %-32s %s%n", book.year(), book.title(), book.author()));

        Map<String, Integer> pagesByAuthor = BOOKS.stream()
                .collect(Collectors.groupingBy(Book::author, TreeMap::new, Collectors.summingInt(Book::pages)));
        System.out.println("\nPages by author:");
        pagesByAuthor.forEach(
                (author, pages) -> System.out.printf("  %-14s %s %d%n", author, "▇".repeat(pages / 20), pages));

        int pages = BOOKS.stream().mapToInt(Book::pages).sum();
        System.out.printf("%nAt 30 pages a day, you have read them all in %d days.%n", (pages + 29) / 30);

        // What next? Find the shortest book, or group the books by decade.
    }
}
