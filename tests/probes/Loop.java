/* Starts "TARGET MARK" so many times, as standard input says, and prints each status. */
import java.util.Scanner;

public class Loop {
    public static void main(String[] args) throws Exception {
        Scanner in = new Scanner(System.in);
        int times = in.nextInt();
        String[] command = {in.next(), in.next()};
        for (int i = 0; i < times; i++) {
            System.out.println(new ProcessBuilder(command).inheritIO().start().waitFor());
        }
    }
}
