import java.io.File;
import java.security.PublicKey;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import javax.xml.crypto.*;
import javax.xml.crypto.dsig.*;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.crypto.dsig.keyinfo.*;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.*;

/** Verifies every XML signature of every file in a folder with the JDK's own implementation. */
public class VerifyInvoices {
    public static void main(String[] arguments) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        File[] files = new File(arguments[0]).listFiles((folder, name) -> name.endsWith(".xml"));
        Arrays.sort(files);
        int checked = 0;
        boolean good = true;
        for (File file : files) {
            Document document = factory.newDocumentBuilder().parse(file);
            markIds(document.getDocumentElement());
            NodeList signatures = document.getElementsByTagNameNS(XMLSignature.XMLNS, "Signature");
            if (signatures.getLength() == 0) {
                System.out.println("BAD " + file.getName() + " has no signature");
                good = false;
            }
            for (int i = 0; i < signatures.getLength(); i++) {
                checked++;
                String problem = verify(signatures.item(i));
                if (problem != null) {
                    System.out.println("BAD " + file.getName() + " signature " + i + ": " + problem);
                    good = false;
                }
            }
        }
        System.out.println("CHECKED " + checked);
        System.exit(good ? 0 : 1);
    }

    private static void markIds(Element element) {
        if (element.hasAttribute("Id")) {
            element.setIdAttribute("Id", true);
        }
        for (Node node = element.getFirstChild(); node != null; node = node.getNextSibling()) {
            if (node instanceof Element child) {
                markIds(child);
            }
        }
    }

    private static String verify(Node node) {
        try {
            DOMValidateContext context = new DOMValidateContext(new CertificateKey(), node);
            context.setProperty("org.jcp.xml.dsig.secureValidation", Boolean.TRUE);
            XMLSignature signature = XMLSignatureFactory.getInstance("DOM").unmarshalXMLSignature(context);
            return signature.validate(context) ? null : "does not verify";
        } catch (Exception problem) {
            return problem.toString();
        }
    }

    /** The key of the certificate that the signature carries. */
    private static class CertificateKey extends KeySelector {
        @Override
        public KeySelectorResult select(
                KeyInfo info, Purpose purpose, AlgorithmMethod method, XMLCryptoContext context)
                throws KeySelectorException {
            for (Object part : info.getContent()) {
                if (part instanceof X509Data data) {
                    for (Object item : data.getContent()) {
                        if (item instanceof X509Certificate certificate) {
                            PublicKey key = certificate.getPublicKey();
                            return () -> key;
                        }
                    }
                }
            }
            throw new KeySelectorException("no certificate");
        }
    }
}
