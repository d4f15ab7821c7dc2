/* Starts a program by one way of the JDK. Reads "WAY TARGET MARK" from standard input and prints the
 * child's status. */
import java.util.Scanner;

public class Start {
    public static void main(String[] args) throws Exception {
        Scanner in = new Scanner(System.in);
        String way = in.next();
        String[] command = {in.next(), in.next()};
        ProcessBuilder builder = new ProcessBuilder(command).inheritIO();
        if (way.equals("empty")) builder.environment().clear();
        Process process;
        try {
            process = builder.start();
        } catch (java.io.IOException error) {
            System.out.println("error");
            return;
        }
        System.out.println("status " + process.waitFor());
    }
}
